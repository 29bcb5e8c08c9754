// The bytes of a batch: some records one behind the other. Looked at byte by byte, since each record passes here.

import { isUtf8 } from 'node:buffer';
import { timeWidth } from './format.js';

const newline = 0x0a;
const space = 0x20;
const tab = 0x09;
const del = 0x7f;
const zero = 0x30;
const nine = 0x39;

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
  const mark = Buffer.from(`${sender}#`);
  let at = 0;
  for (let number = first; number < first + count; number++) {
    if (at >= bytes.length) return `it ends before #${number}`;
    at = headEnd(bytes, at, mark, number);
    if (at < 0) return `no head of ${sender}#${number} where it should be`;
    at = recordEnd(bytes, at);
    if (at < 0) return `#${number} is not whole, or has control characters`;
  }
  if (at < bytes.length) return `it goes on after #${first + count - 1}`;
  return isUtf8(bytes) ? undefined : 'it is not UTF-8';
}

/** Where the first `count` records end. */
export function offsetAfter(bytes: Uint8Array, count: number): number {
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
  const mark = Buffer.from(`${sender}#`);
  const first = headNumber(bytes, 0, mark);
  if (first === undefined) return undefined;
  let count = 0;
  let at = 0;
  while (at < bytes.length && (count === 0 || headNumber(bytes, at, mark) === first + count)) {
    const end = completeEnd(bytes, at);
    if (end < 0 || (count > 0 && end > maxBytes)) break;
    at = end;
    count++;
  }
  return count === 0 ? undefined : { first, count, bytes: bytes.subarray(0, at) };
}

/** The position behind a head `time LEVEL sender#number ` with this very number, or -1. */
function headEnd(bytes: Uint8Array, start: number, mark: Uint8Array, number: number): number {
  return headNumber(bytes, start, mark) === number ? start + timeWidth : -1;
}

/** The number in the head that begins at `start`, if it is one of this sender. */
function headNumber(bytes: Uint8Array, start: number, mark: Uint8Array): number | undefined {
  if (!isDigit(bytes[start]) || bytes[start + timeWidth - 1] !== space) return undefined;
  let at = start + timeWidth;
  while (isCapital(bytes[at])) at++;
  if (at === start + timeWidth || bytes[at] !== space) return undefined;
  at++;
  for (let i = 0; i < mark.length; i++, at++) if (bytes[at] !== mark[i]) return undefined;
  const digits = at;
  let number = 0;
  for (; isDigit(bytes[at]); at++) number = number * 10 + (bytes[at] ?? 0) - zero;
  return at > digits && bytes[at] === space ? number : undefined;
}

/** The position behind the record in which `at` lies, or -1 when it is not whole or holds what it must not. */
function recordEnd(bytes: Uint8Array, start: number): number {
  let previous = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === newline) {
      if (previous !== space) return at + 1;
      for (let i = 1; i <= 4; i++) if (bytes[at + i] !== space) return -1;
      at += 4;
      previous = space;
    } else {
      if ((byte < space && byte !== tab) || byte === del) return -1;
      previous = byte;
    }
  }
  return -1;
}

/** As {@link recordEnd}, without a look at the bytes between. */
function completeEnd(bytes: Uint8Array, start: number): number {
  let end = bytes.indexOf(newline, start);
  while (end >= 0 && bytes[end - 1] === space) end = bytes.indexOf(newline, end + 1);
  return end < 0 ? -1 : end + 1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine;
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}
