// Where the last so many records that are asked for begin.

import type { FileHandle } from 'node:fs/promises';
import { blocksOf } from './blocks.js';
import type { RecordFilter } from './filter.js';
import type { HeadReader } from './head.js';
import { Scanner } from './scanner.js';

/** A place in a file behind which stand `found` records that are asked for, the first `skip` of them too many. */
export interface Start {
  readonly offset: number;
  readonly found: number;
  readonly skip: number;
}

const newline = 0x0a;
const space = 0x20;
const windowBytes = 256 * 1024;
/** What has no record's end in that many bytes is no log. */
const widestWindow = 8 * 1024 ** 2;

/**
 * Finds the last `wanted` matching records of a plain file, from its end on.
 *
 * @param size where to begin; a record's end
 */
export async function findLast(
  file: FileHandle,
  size: number,
  wanted: number,
  filter: RecordFilter,
  head: HeadReader,
): Promise<Start> {
  let found = 0;
  let width = windowBytes;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - width);
    const buffer = Buffer.allocUnsafe(end - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    const bytes = buffer.subarray(0, bytesRead);
    const begin = start === 0 ? 0 : firstRecord(bytes);
    if (begin >= bytes.length && start > 0 && width < widestWindow) {
      width *= 2;
      continue;
    }
    const from = begin >= bytes.length ? 0 : begin;
    const matches = matchesIn(bytes.subarray(from), filter, head);
    const first = matches.at(found - wanted);
    if (found + matches.length >= wanted && first !== undefined) {
      return { offset: start + from + first, found: wanted, skip: 0 };
    }
    found += matches.length;
    end = start + from;
    width = windowBytes;
  }
  return { offset: 0, found, skip: 0 };
}

/** The same for a compressed file, which has to be read from its beginning. */
export async function countAll(
  file: FileHandle,
  wanted: number,
  filter: RecordFilter,
  head: HeadReader,
): Promise<Start> {
  let found = 0;
  const scanner = new Scanner(
    {
      record: (head, bytes, start, end) => {
        if (filter.record(head, bytes, start, end)) found++;
      },
      stray: (_, bytes, start, end) => {
        if (filter.stray(bytes, start, end)) found++;
      },
    },
    head,
  );
  for await (const block of blocksOf(file)) scanner.feed(block);
  scanner.finish();
  return { offset: 0, found: Math.min(found, wanted), skip: Math.max(0, found - wanted) };
}

/** Where what matches begins. */
function matchesIn(bytes: Buffer, filter: RecordFilter, head: HeadReader): number[] {
  const matches: number[] = [];
  const scanner = new Scanner(
    {
      record: (head, bytes, start, end) => {
        if (filter.record(head, bytes, start, end)) matches.push(start);
      },
      stray: (_, bytes, start, end) => {
        if (filter.stray(bytes, start, end)) matches.push(start);
      },
    },
    head,
  );
  scanner.feed({ bytes, isLineCut: false });
  scanner.finish();
  return matches;
}

/** Where the first record begins that begins in these bytes: behind a line that is not continued. */
function firstRecord(bytes: Buffer): number {
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) {
    if (at > 0 && bytes[at - 1] !== space) return at + 1;
  }
  return bytes.length;
}
