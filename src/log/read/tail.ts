// Shows the last records of a log, and follows those that are added: `linod log tail`.

import type { Shown, Wanted } from './filter.js';
import { type LogBatch, LogReader, type ReadOptions } from './reader.js';

export interface TailOptions extends ReadOptions {
  /** How many of the last records; default: all that match. */
  readonly last?: number | undefined;
  readonly wanted?: Wanted | undefined;
  /** Whether to follow added records, even when the file is rotated. */
  readonly follow: boolean;
}

/** Called with each match, and awaited, so that a slow reader is not flooded. */
export type Show = (records: readonly Shown[]) => Promise<void> | void;

/**
 * Passes on the last records of a log, only whole ones, and then new ones as they arrive. Reads older files
 * if the newest has too few.
 *
 * @returns false when there is no log, and it is not followed
 */
export async function tail(path: string, options: TailOptions, show: Show): Promise<boolean> {
  const { last, follow } = options;
  const reader = new LogReader(path, options);
  const showAll = async (batches: AsyncIterable<LogBatch>) => {
    for await (const { records } of batches) if (records.length > 0) await show(records);
  };
  try {
    await reader.open();
    const rotated = await reader.before();
    if (!reader.isOpen && rotated.length === 0 && !follow) return false;
    if (last === undefined) {
      await showAll(reader.whole(rotated));
      await showAll(reader.added());
    } else {
      await reader.skipToEnd();
      const records = last === 0 ? [] : await lastRecords(reader.back(rotated, last), last);
      if (records.length > 0) await show(records);
    }
    if (follow) await showAll(reader.follow());
  } finally {
    await reader.close();
  }
  return true;
}

async function lastRecords(batches: AsyncIterable<LogBatch>, count: number): Promise<readonly Shown[]> {
  let found: readonly Shown[] = [];
  for await (const { records } of batches) {
    found = [...records, ...found];
    if (found.length >= count) break;
  }
  return found.slice(-count);
}
