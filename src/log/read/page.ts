// Reads a log in pages, backwards and forwards.

import type { Position } from './position.js';
import { LogReader, type PlacedRecord, type ReadOptions } from './reader.js';

export interface PageOptions extends ReadOptions {
  /** Maximum records of the page. */
  readonly count: number;
}

/** Some of the matching records; few or none when only a part of the log was searched. */
export interface RecordPage {
  /** The oldest first. */
  readonly records: readonly PlacedRecord[];
  /** Where the page before this one ends; undefined when there is none. */
  readonly before: Position | undefined;
  /** Where the page after this one begins; undefined without a log. */
  readonly after: Position | undefined;
  /** Whether nothing is behind it now. */
  readonly isEnd: boolean;
}

/** A search that finds little ends after this time. */
const searchMs = 100;

/**
 * The last records before a position, or of the log.
 *
 * @returns undefined when the file of the position is gone
 */
export async function readBefore(
  path: string,
  position: Position | undefined,
  options: PageOptions,
): Promise<RecordPage | undefined> {
  const { count } = options;
  const reader = new LogReader(path, options);
  try {
    if (position === undefined) {
      await reader.open();
      await reader.skipToEnd();
    } else if (!(await reader.openAt(position))) return undefined;
    const after = reader.position;
    const endAt = performance.now() + searchMs;
    let records: readonly PlacedRecord[] = [];
    let before: Position | undefined;
    for await (const batch of reader.back(await reader.before(), count)) {
      records = [...batch.records, ...records];
      before = batch.next;
      if (records.length > count) before = records[records.length - count]?.position ?? position;
      if (records.length >= count || performance.now() > endAt) break;
      before = undefined;
    }
    return {
      records: records.slice(Math.max(0, records.length - count)),
      before,
      after,
      isEnd: position === undefined,
    };
  } finally {
    await reader.close();
  }
}

/** The records from a position on. @returns undefined when its file is gone */
export async function readAfter(
  path: string,
  position: Position,
  options: PageOptions,
): Promise<RecordPage | undefined> {
  const { count } = options;
  const reader = new LogReader(path, options);
  try {
    if (!(await reader.openAt(position))) return undefined;
    const endAt = performance.now() + searchMs;
    const records: PlacedRecord[] = [];
    for await (const batch of reader.toEnd()) {
      records.push(...batch.records);
      const isFull = records.length > count;
      if (!isFull && performance.now() <= endAt) continue;
      const after = isFull ? records[count]?.position : batch.next;
      return { records: records.slice(0, count), before: position, after, isEnd: false };
    }
    return { records, before: position, after: reader.position, isEnd: true };
  } finally {
    await reader.close();
  }
}

/** All matching records that the log has now. */
export async function* readAll(path: string, options: ReadOptions): AsyncGenerator<readonly PlacedRecord[]> {
  const reader = new LogReader(path, options);
  try {
    await reader.open();
    for await (const { records } of reader.whole(await reader.before())) yield records;
    for await (const { records } of reader.added()) yield records;
  } finally {
    await reader.close();
  }
}
