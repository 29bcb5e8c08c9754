// Batches: whole records of one sender with consecutive numbers.

import { isUtf8 } from 'node:buffer';
import type { FormatName } from '../site/log-settings.js';
import { parseHead, recordEnd } from './format/formats.js';
import type { Head } from './format/line-format.js';

/** The usual size of a batch. */
export const batchBytes = 64 * 1024;

/** Whole records of one sender with consecutive numbers. */
export interface Batch {
  readonly first: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** The number of the last record. */
export function lastOf({ first, count }: Pick<Batch, 'first' | 'count'>): number {
  return first + count - 1;
}

/** Bytes that are not the announced records. */
export class BadBatchError extends Error {}

/** Called for each record with its head and the offset of its end. */
type OnRecord = (head: Head, end: number) => void;

/** Control characters but tabs and newlines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds control characters
const controls = /[\0-\x08\x0b-\x1f\x7f]/;
/** The formats whose records may have continuation lines. */
const multiline: ReadonlySet<FormatName> = new Set(['text', 'lino']);
const indent = '    ';

/**
 * Checks that some bytes are exactly the announced records.
 *
 * @param sender the sender's label
 * @throws BadBatchError
 */
export function readBatch(
  bytes: Buffer,
  sender: string,
  { first, count }: Pick<Batch, 'first' | 'count'>,
  onRecord: OnRecord,
): void {
  // As latin1, the text has the offsets of the bytes.
  const text = bytes.toString('latin1');
  if (controls.test(text)) throw new BadBatchError('it has control characters');
  if (!isUtf8(bytes)) throw new BadBatchError('it is not UTF-8');
  let at = 0;
  for (let number = first; number < first + count; number++) {
    if (at >= text.length) throw new BadBatchError(`it ends before #${number}`);
    const head = parseHead(text, at);
    if (head === undefined || head.sender !== sender || head.number !== number)
      throw new BadBatchError(`the head of ${sender}#${number} is missing`);
    at = wholeEnd(text, head);
    if (at < 0) throw new BadBatchError(`#${number} is incomplete`);
    onRecord(head, at);
  }
  if (at < text.length) throw new BadBatchError(`it has more bytes after #${first + count - 1}`);
}

/** The end of the record with this head; -1 when its lines are not one whole record. */
function wholeEnd(text: string, { end: start, format }: Head): number {
  let end = text.indexOf('\n', start);
  while (end >= start && text[end - 1] === ' ') {
    if (!multiline.has(format.name) || !text.startsWith(indent, end + 1)) return -1;
    end = text.indexOf('\n', end + 1);
  }
  if (end < start) return -1;
  return format.name === 'json' && text[end - 1] !== '}' ? -1 : end + 1;
}

/** Where the first `count` records end. */
export function offsetAfter(bytes: Buffer, count: number): number {
  const text = bytes.toString('latin1');
  let at = 0;
  for (let n = 0; n < count && at < text.length; n++) {
    at = recordEnd(text, at);
    if (at < 0) return bytes.length;
  }
  return at;
}

/** The records of a batch above a number. */
export function above(batch: Batch, after: number): Batch {
  const known = after - batch.first + 1;
  if (known <= 0) return batch;
  return {
    first: after + 1,
    count: batch.count - known,
    bytes: batch.bytes.subarray(offsetAfter(batch.bytes, known)),
  };
}

/**
 * The longest batch of a sender's whole records at the beginning of some bytes, of at most `maxBytes` unless
 * the first record alone has more; undefined when they begin with no whole record of this sender.
 */
export function leadingBatch(bytes: Buffer, sender: string, maxBytes: number): Batch | undefined {
  const text = bytes.toString('latin1');
  const first = parseHead(text);
  if (first?.sender !== sender) return undefined;
  let count = 0;
  let at = 0;
  for (let head: Head | undefined = first; head !== undefined; head = parseHead(text, at)) {
    if (head.sender !== sender || head.number !== first.number + count) break;
    const end = recordEnd(text, head.end);
    if (end < 0 || (count > 0 && end > maxBytes)) break;
    at = end;
    count++;
  }
  return count === 0 ? undefined : { first: first.number, count, bytes: bytes.subarray(0, at) };
}
