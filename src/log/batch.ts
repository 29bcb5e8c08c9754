// The bytes of a batch: some records one behind the other. Looked at byte by byte, since each record passes here.

import { isUtf8 } from 'node:buffer';
import { hasControls } from './controls.js';
import { HeadScan } from './formats/head-scan.js';

const newline = 0x0a;
const space = 0x20;
const closingBrace = 0x7d;

/**
 * Says what is wrong with a batch, or nothing when it is `count` whole records of that sender, numbered from
 * `first` on, of which no byte could be taken for another record's.
 *
 * @param sender the sender's label, ASCII
 */
export function batchProblem(
  bytes: Uint8Array,
  sender: string,
  first: number,
  count: number,
): string | undefined {
  if (hasControls(bytes)) return 'it has control characters';
  const head = new HeadScan();
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  head.enter(buffer);
  let at = 0;
  for (let number = first; number < first + count; number++) {
    if (at >= bytes.length) return `it ends before #${number}`;
    const isThere = head.read(at) && head.number === number && head.sender === sender;
    if (!isThere) return `no head of ${sender}#${number} where it should be`;
    at = checkedEnd(buffer, at, head);
    if (at < 0) return `#${number} is not whole`;
  }
  if (at < bytes.length) return `it goes on after #${first + count - 1}`;
  return isUtf8(bytes) ? undefined : 'it is not UTF-8';
}

/** Where the first `count` records end. */
export function offsetAfter(bytes: Buffer, count: number): number {
  let at = 0;
  for (let n = 0; n < count; n++) {
    const end = completeEnd(bytes, at);
    if (end < 0) return bytes.length;
    at = end;
  }
  return at;
}

/** A run of whole records with consecutive numbers. */
export interface Run {
  readonly first: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/**
 * The longest run of a sender's whole records at the beginning of some bytes, of at most `maxBytes` bytes unless
 * the first record alone has more; undefined when they begin with no whole record of this sender.
 */
export function leadingRun(bytes: Buffer, sender: string, maxBytes: number): Run | undefined {
  const head = new HeadScan();
  head.enter(bytes);
  const isOwn = (at: number) => head.read(at) && head.sender === sender;
  if (!isOwn(0)) return undefined;
  const first = head.number;
  let count = 0;
  let at = 0;
  while (at < bytes.length && (count === 0 || (isOwn(at) && head.number === first + count))) {
    const end = completeEnd(bytes, at);
    if (end < 0 || (count > 0 && end > maxBytes)) break;
    at = end;
    count++;
  }
  return count === 0 ? undefined : { first, count, bytes: bytes.subarray(0, at) };
}

/** The position behind the record whose head was read, or -1 when its lines are not those of one whole record. */
function checkedEnd(bytes: Buffer, start: number, head: HeadScan): number {
  const { name, layout } = head.format;
  let end = bytes.indexOf(newline, start);
  if (end < head.end) return -1;
  while (bytes[end - 1] === space) {
    if (!layout.isMultiline) return -1;
    for (let i = 1; i <= 4; i++) if (bytes[end + i] !== space) return -1;
    end = bytes.indexOf(newline, end + 5);
    if (end < 0) return -1;
  }
  return name === 'json' && bytes[end - 1] !== closingBrace ? -1 : end + 1;
}

/** Where the record in which `start` lies ends, in any format; -1 when that is not among these bytes. */
export function completeEnd(bytes: Buffer, start: number): number {
  let end = bytes.indexOf(newline, start);
  while (end >= 0 && bytes[end - 1] === space) end = bytes.indexOf(newline, end + 1);
  return end < 0 ? -1 : end + 1;
}
