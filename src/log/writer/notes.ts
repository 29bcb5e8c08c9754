// The writer's own records in the log: which file follows which, whose lines follow, what is lost.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import type { FormatName } from '../../site/log-settings.js';
import type { Fields } from '../fields.js';
import { lineFormat } from '../format/formats.js';
import type { LineFormat } from '../format/line-format.js';
import { Timestamps } from '../format/timestamp.js';
import { noSender } from '../names.js';
import { type CarriedPosition, noteLogger } from './ledger.js';

/** With this many positions, even the longest ones, a note is far below the limit of a record. */
const positionsPerNote = 200;

interface SenderName {
  readonly sender: string;
  readonly epoch: string;
}

/** Makes whole records, for people and for the {@link Ledger}. */
export class Notes {
  readonly #clock: Clock;
  readonly #format: LineFormat;
  readonly #timestamps: Timestamps;

  constructor(clock: Clock, timezone: string, format: FormatName = 'text') {
    this.#clock = clock;
    this.#format = lineFormat(format);
    this.#timestamps = new Timestamps(timezone, this.#format.time);
  }

  /**
   * The beginning of a file: which file it follows, and how far the log was with each sender by then.
   *
   * @param isGone whether someone has removed or emptied the file before, and no copy of it is beside the log
   */
  begin(after: string | undefined, positions: readonly CarriedPosition[], isGone: boolean): string {
    const file = randomUUID();
    if (after === undefined) return this.#note('INFO', 'the log begins', { file });
    const notes = isGone
      ? [
          this.#note('WARNING', 'the log continues in a new file; the file before is gone', {
            file,
            after,
            isGone,
          }),
        ]
      : [this.#note('INFO', 'the log continues in a new file', { file, after })];
    for (let i = 0; i < positions.length; i += positionsPerNote) {
      const part = positions.slice(i, i + positionsPerNote);
      const senders = part.length === 1 ? '1 sender' : `${part.length} senders`;
      notes.push(this.#note('INFO', `in the files before: records of ${senders}`, { positions: part }));
    }
    return notes.join('');
  }

  /** From here on, the lines of a label are this sender's. Everything up to `last` was written before. */
  turn({ sender, epoch }: SenderName, last: number): string {
    const text = last === 0 ? `${sender} begins` : `${sender} continues at #${last + 1}`;
    return this.#note('INFO', text, { sender, epoch, last });
  }

  /** These numbers can no longer arrive. */
  lost({ sender, epoch }: SenderName, from: number, to: number): string {
    const count = to - from + 1;
    const numbers = count === 1 ? `#${from}` : `#${from}-${to}`;
    const text = `${count} ${count === 1 ? 'record' : 'records'} of ${sender} lost: ${numbers}`;
    return this.#note('WARNING', text, { sender, epoch, from, to });
  }

  damage(what: 'emptied' | 'removed', bytes: number): string {
    return this.#note(
      'WARNING',
      `another program has ${what} the log file, which had ${bytes} bytes; records that arrived at that moment may be lost`,
    );
  }

  repair(bytes: number): string {
    return this.#note(
      'WARNING',
      `the writer ended before it finished the last record: ${bytes} bytes removed, the sender sends it again`,
    );
  }

  #note(level: 'INFO' | 'WARNING', message: string, fields?: Fields): string {
    const time = this.#timestamps.format(this.#clock.now());
    const head = this.#format.head(time, level, noSender, 0, noteLogger);
    return this.#format.record(head, { message, fields });
  }
}
