// A log as the writer writes it, in several files, for tests that read it or damage it.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { LogWriter } from '../../src/log/writer/writer.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { batchOf, range } from './log.js';

export interface RealLog {
  /** The oldest first; `packed` is gzip. */
  readonly packed: string;
  readonly rotated: string;
  readonly current: string;
}

/**
 * Writes `lino.log.2.gz`, `lino.log.1` and `lino.log`, each with ten records of two lines of `web[812]` and of `mail[77]`, by turns of
 * five. The last file has nothing of `mail[77]` when `isMailSilent`.
 */
export async function writeRealLog(directory: string, { isMailSilent = false } = {}): Promise<RealLog> {
  const [current, rotated, packed] = ['lino.log', 'lino.log.1', 'lino.log.2.gz'].map((name) =>
    join(directory, name),
  );
  if (current === undefined || rotated === undefined || packed === undefined)
    throw new RangeError('no names');
  const clock = new ManualClock();
  const writer = new LogWriter({ path: current, clock });
  await writer.start();
  for (const [index, first] of [1, 11, 21].entries()) {
    for (const from of [first, first + 5]) {
      for (const sender of ['web[812]', 'mail[77]']) {
        if (sender === 'mail[77]' && isMailSilent && index === 2) continue;
        const numbers = range(from, from + 4);
        writer.accept(batchOf({ sender, numbers, acked: from - 1, base: from, message: `a\nb` }), () => {});
        await writer.settled();
      }
    }
    await clock.advance(60_000);
    if (index === 2) break;
    if (index === 0) renameSync(current, packed);
    else renameSync(current, rotated);
    await writer.reopen();
  }
  await writer.stop();
  writeFileSync(packed, gzipSync(readFileSync(packed)));
  return { packed, rotated, current };
}

/** Rewrites a plain file. */
export function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

/** The records of a text, each with its lines and newlines. */
export function recordsIn(text: string): string[] {
  return text.split(/(?<=[^ ]\n)/);
}
