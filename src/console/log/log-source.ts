// New lines of the log for the stream of a tab.

import type { Wanted } from '../../log/read/filter.js';
import { parsePosition, positionText } from '../../log/read/position.js';
import { LogReader, type PlacedRecord } from '../../log/read/reader.js';
import type { LogEvent } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { type StreamEvent, type StreamRequest, type StreamSource, wait } from '../stream.js';
import { logLine, wantedOf } from './log-lines.js';

/** Bounds of one event, and of what one tab gets in a second. */
const eventLines = 500;
const eventLength = 512 * 1024;
const linesPerSecond = 2000;
const lengthPerSecond = 4 * 1024 ** 2;
/** A tab that is further behind than this gets only a part of the lines until it has caught up to that. */
const farBehindBytes = 8 * 1024 ** 2;
const caughtUpBytes = 512 * 1024;
/** After so many bytes without a match, the page gets the position, so that it need not go back so far. */
const quietBytes = 4 * 1024 ** 2;

export class LogSource implements StreamSource {
  readonly #context: ConsoleContext;
  readonly #onClose: () => Promise<void>;

  constructor(context: ConsoleContext, onClose: () => Promise<void>) {
    this.#context = context;
    this.#onClose = onClose;
  }

  open({ query, lastEventId, signal }: StreamRequest): AsyncIterable<StreamEvent> | null {
    if (query.get('log') !== '1') return null;
    try {
      const wanted = wantedOf(query, this.#context.site.settings.timezone);
      return this.#events(wanted, lastEventId, signal);
    } catch {
      // `GET api/log` says what is wrong with the filter.
      return null;
    }
  }

  async close(): Promise<void> {
    await this.#onClose();
  }

  async *#events(
    wanted: Wanted,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): AsyncIterable<StreamEvent> {
    const { logFile, settings } = this.#context.site;
    const { timezone } = settings;
    const reader = new LogReader(logFile, { wanted, timezone, signal });
    const after = parsePosition(lastEventId ?? '');
    const pace = new Pace(reader, signal);
    try {
      if (after === undefined || !(await reader.openAt(after))) {
        await reader.open();
        await reader.skipToEnd();
        // The page goes on from here, also when its connection is cut before the first line.
        const { position } = reader;
        // What is gone with its file cannot be counted.
        const omitted = after === undefined ? 0 : null;
        if (position !== undefined) yield logEvent([], omitted, positionText(position));
      }
      let sentAt = reader.position?.offset ?? 0;
      for await (const { records, next } of reader.follow()) {
        for (const [part, behind] of inParts(records)) {
          if (await pace.admits(part)) {
            yield logEvent(part, pace.takeOmitted(), positionText(behind?.position ?? next));
            sentAt = next.offset;
          }
        }
        const isQuiet = next.offset < sentAt || next.offset - sentAt > quietBytes;
        if (records.length > 0 || (!isQuiet && pace.omitted === 0)) continue;
        sentAt = next.offset;
        yield logEvent([], pace.takeOmitted(), positionText(next));
      }
    } finally {
      await reader.close();
    }
  }
}

/** What a tab may get in a second. It waits for its turn, or is left out when it would never catch up. */
class Pace {
  readonly #reader: LogReader;
  readonly #signal: AbortSignal;
  #second = 0;
  #lines = 0;
  #length = 0;
  #isFarBehind = false;
  /** Lines that were left out since the last event. */
  omitted = 0;

  constructor(reader: LogReader, signal: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  takeOmitted(): number {
    const { omitted } = this;
    this.omitted = 0;
    return omitted;
  }

  /** Resolves when these may be sent; to false when they are left out. */
  async admits(records: readonly PlacedRecord[]): Promise<boolean> {
    const length = lengthOf(records);
    for (let now = this.#now(); this.#isFull(records.length, length); now = this.#now()) {
      const behind = await this.#reader.behind();
      this.#isFarBehind = behind > (this.#isFarBehind ? caughtUpBytes : farBehindBytes);
      if (this.#isFarBehind || this.#signal.aborted) {
        this.omitted += records.length;
        return false;
      }
      await wait(this.#second + 1000 - now, this.#signal);
    }
    this.#lines += records.length;
    this.#length += length;
    return true;
  }

  #isFull(lines: number, length: number): boolean {
    return (
      this.#lines > 0 && (this.#lines + lines > linesPerSecond || this.#length + length > lengthPerSecond)
    );
  }

  #now(): number {
    const now = performance.now();
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#lines = 0;
      this.#length = 0;
    }
    return now;
  }
}

/** Parts that fit into one event, each with the record that follows it. */
function* inParts(
  records: readonly PlacedRecord[],
): Generator<readonly [readonly PlacedRecord[], PlacedRecord | undefined]> {
  for (let begin = 0, end = 0; begin < records.length; begin = end) {
    for (let length = 0; end < records.length && end - begin < eventLines; end++) {
      length += records[end]?.text.length ?? 0;
      if (length > eventLength && end > begin) break;
    }
    yield [records.slice(begin, end), records[end]];
  }
}

function lengthOf(records: readonly PlacedRecord[]): number {
  return records.reduce((sum, { text }) => sum + text.length, 0);
}

function logEvent(records: readonly PlacedRecord[], omitted: number | null, id: string): StreamEvent {
  const data: LogEvent = { lines: records.map(logLine), omitted };
  return { event: 'log', data, id };
}
