// The heads of records, found in bytes without making text of them.

import { Pattern, viewOf } from '../bytes.js';
import { isSenderLabel, noSender } from '../names.js';
import { lineFormat } from './formats.js';
import { type HeadBytes, headBytes } from './head-bytes.js';
import type { LineFormat } from './line-format.js';

const newline = 0x0a;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;
const dash = 0x2d;
/** The longest label that `isSenderLabel` allows. */
const maxLabel = 72;
const maxLogger = 120;

/**
 * Reads heads, one after the other, and keeps what the last one told. Costs some tens of nanoseconds for a record whose
 * sender is that of the record before.
 *
 * @example
 * const head = new HeadScan();
 * head.enter(bytes);
 * for (let at = 0; head.read(at); at = recordEnd(bytes, at)) count(head.sender, head.number);
 */
export class HeadScan {
  /** The sender's label, or `noSender`. The same string as long as it does not change. */
  sender = noSender;
  /** The sender's number; 0 for a note. */
  number = 0;
  /** Where the level's name begins and ends. */
  levelAt = 0;
  levelEnd = 0;
  /** Where the time begins; it is as long as the format's layout says. */
  timeAt = 0;
  /** The position behind what was read: the rest of the record follows. */
  end = 0;
  #format: LineFormat | undefined;
  #parts: HeadBytes | undefined;
  /** How the last sender is named, up to its number. */
  #mark: Pattern | undefined;
  #marked = noSender;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#bytes);
  #end = 0;

  /** The format of the last head. @throws TypeError before the first one */
  get format(): LineFormat {
    if (this.#format === undefined) throw new TypeError('no head was read yet');
    return this.#format;
  }

  /** Takes the bytes in which heads are to be read. */
  enter(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#end = bytes.length;
  }

  /** Reads the head that begins at `start`; false when there is none, and then what is kept is of no use. */
  read(start: number): boolean {
    const parts = this.#partsAt(start);
    const view = this.#view;
    if (parts === undefined || !parts.opening.isAt(view, start, this.#end)) return false;
    const bytes = this.#bytes;
    this.timeAt = start + parts.opening.length;
    let at = this.timeAt + parts.timeLength;
    if (!parts.beforeLevel.isAt(view, at, this.#end)) return false;
    at += parts.beforeLevel.length;
    this.levelAt = at;
    while (isCapital(bytes[at])) at++;
    this.levelEnd = at;
    if (at === this.levelAt || !parts.beforeSender.isAt(view, at, this.#end)) return false;
    at += parts.beforeSender.length;
    if (parts.isLoggerFirst) at = skipWord(bytes, at);
    return at >= 0 && this.#readSender(at, parts);
  }

  #partsAt(start: number): HeadBytes | undefined {
    const format = formatAt(this.#bytes, start);
    if (format === undefined) return undefined;
    if (this.#format !== format) {
      this.#format = format;
      this.#parts = headBytes(format);
      this.#mark = undefined;
    }
    return this.#parts;
  }

  #readSender(at: number, parts: HeadBytes): boolean {
    const mark = this.#mark;
    if (mark?.isAt(this.#view, at, this.#end) === true) {
      this.sender = this.#marked;
      return this.#readNumber(at + mark.length, parts);
    }
    const bytes = this.#bytes;
    if (bytes[at] === dash && !isLabelByte(bytes[at + 1])) {
      this.sender = noSender;
      this.number = 0;
      this.end = at + 1;
      return true;
    }
    const { beforeNumber } = parts;
    const end = labelEnd(bytes, at, beforeNumber.first);
    if (end < 0 || !beforeNumber.isAt(this.#view, end, this.#end)) return false;
    const label = bytes.toString('latin1', at, end);
    if (!isSenderLabel(label)) return false;
    if (label !== this.#marked) this.#marked = label;
    this.sender = this.#marked;
    const number = end + beforeNumber.length;
    this.#mark = new Pattern(bytes.subarray(at, number));
    return this.#readNumber(number, parts);
  }

  #readNumber(start: number, parts: HeadBytes): boolean {
    const bytes = this.#bytes;
    let number = 0;
    let at = start;
    for (let byte = bytes[at] ?? 0; byte >= zero && byte <= nine; byte = bytes[++at] ?? 0) {
      number = number * 10 + byte - zero;
    }
    this.number = number;
    this.end = at;
    return at > start && parts.afterNumber.isAt(this.#view, at, this.#end);
  }
}

/** The position behind a logger's name and a space, or -1. */
function skipWord(bytes: Uint8Array, start: number): number {
  for (let at = start; at <= start + maxLogger; at++) {
    const byte = bytes[at] ?? newline;
    if (byte === space) return at + 1;
    if (byte === newline) return -1;
  }
  return -1;
}

function labelEnd(bytes: Uint8Array, start: number, stop: number): number {
  for (let at = start; at <= start + maxLabel; at++) if (bytes[at] === stop) return at;
  return -1;
}

function isLabelByte(byte: number | undefined): boolean {
  return byte !== undefined && byte !== space && byte !== 0x22;
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}

/** The format of the record that begins at `at`, by its first five bytes; undefined where none can begin. */
export function formatAt(bytes: Uint8Array, at: number): LineFormat | undefined {
  const first = bytes[at] ?? 0;
  if (first >= zero && first <= nine) return lineFormat(bytes[at + 4] === dash ? 'text' : 'lino');
  if (first === 0x7b) return lineFormat('json');
  return first === 0x74 ? lineFormat('logfmt') : undefined;
}
