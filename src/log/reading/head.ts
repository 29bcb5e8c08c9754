// The head of a record, read from bytes.

import { Pattern, viewOf } from '../bytes.js';
import { type HeadBytes, headBytes } from '../formats/head-bytes.js';
import { formatAt } from '../formats/head-scan.js';
import type { LineFormat } from '../formats/line-format.js';
import { textFormat } from '../formats/text.js';
import type { LevelName } from '../levels.js';
import { Minute } from './minute.js';
import { type Name, Names } from './names.js';

/** What {@link HeadReader.read} has found, valid until it is called again. */
export interface ReadHead {
  /** When it was logged, in ms since 1970 UTC. */
  readonly instant: number;
  readonly level: LevelName;
  /** The sender's label; undefined for a note of the log writer. */
  readonly sender: Name | undefined;
  /** The sender's number for the record; 0 for a note. */
  readonly number: number;
  readonly logger: Name;
}

const newline = 0x0a;
const space = 0x20;
const dash = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** More digits would not be exact. */
const mostDigits = 15;
/** A sender's label has at most 60 + 12 bytes, a logger's name 120. */
const longestName = 128;

/** Which bytes may be in a name: ASCII letters, digits, `_`, `.`, `@`, `+` and `-`. */
const isNameByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 && /[\w.@+-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Tells whether a line begins a record, in any of the log's formats, and what its head says. Stricter than what the writer
 * needs to find its place: a head with a damaged time, level or name is none.
 *
 * It compares bytes, first of all with those of the head before: but for the number, most heads are as that one is. It makes no
 * strings, but for names that it meets for the first time.
 */
export class HeadReader implements ReadHead {
  instant = 0;
  level: LevelName = 'INFO';
  sender: Name | undefined;
  number = 0;
  logger: Name;
  /** The position behind what was read. */
  end = 0;
  readonly #timezone: string;
  readonly #senders = new Names();
  readonly #loggers = new Names();
  /** The last minute of each format. */
  readonly #minutes = new Map<LineFormat, Minute>();
  #format: LineFormat = textFormat;
  #parts: HeadBytes = headBytes(textFormat);
  #minute: Minute;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#bytes);
  /** The length of these. */
  #end = 0;
  /** Where in these the last head begins that was read, of a record with a sender; -1 when there is none, or the next was none. */
  #before = -1;
  /** Where its number begins and ends, how long that is which follows, and the seconds and milliseconds of its time, in ms. */
  #numberAt = 0;
  #numberEnd = 0;
  #restLength = 0;
  #seconds = 0;

  /** @param timezone the site's, for times that do not tell their offset */
  constructor(timezone = 'UTC') {
    this.#timezone = timezone;
    this.logger = this.#loggers.find(viewOf(Buffer.from('root')), 0, 4);
    this.#minute = this.#minuteOf(this.#format);
  }

  /** Takes the bytes in which heads are to be read. */
  enter(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#end = bytes.length;
    this.#before = -1;
  }

  /**
   * Reads the head that begins at `start`, of a line that may go on.
   *
   * @returns false when there is none; then the fields hold nothing of use
   */
  read(start: number): boolean {
    return this.#readAsBefore(start) || this.#readAnew(start);
  }

  /** Whether a line whose head was read may end before the byte at `end`, where its newline is. */
  mayEndAt(end: number): boolean {
    const { lastByte } = this.#parts;
    return lastByte === undefined || this.#bytes[end - 1] === lastByte;
  }

  /** Reads a head that is, but for the number, as the one before: most are. */
  #readAsBefore(start: number): boolean {
    const before = this.#before;
    const length = this.#numberAt - before;
    const end = this.#end;
    const view = this.#view;
    if (before < 0 || start + length > end || !isSame(view, before, start, length)) return false;
    const mark = start + length;
    const number = this.#readNumber(mark);
    const rest = this.#restLength;
    if (number === 0 || number + rest > end || !isSame(view, this.#numberEnd, number, rest)) return false;
    if (!this.#isEnd(number + rest)) return false;
    this.#before = start;
    this.#numberAt = mark;
    this.#numberEnd = number;
    return true;
  }

  #readAnew(start: number): boolean {
    const format = formatAt(this.#bytes, start);
    if (format === undefined) return false;
    if (format !== this.#format) this.#change(format);
    if (this.#end - start < this.#minute.shortestHead) return false;
    const before = this.#before;
    this.#before = -1;
    if (!this.#readTime(start, before)) return false;
    const mark = this.#readMark(start, before);
    if (mark === 0) return false;
    const number = this.sender === undefined ? mark : this.#readNumber(mark);
    if (number === 0) return false;
    const at = this.#readBehind(number, before);
    if (at === 0 || !this.#isEnd(at)) return false;
    this.instant = this.#minute.instant + this.#seconds;
    if (this.sender === undefined) return true;
    this.#before = start;
    this.#numberAt = mark;
    this.#numberEnd = number;
    this.#restLength = at - number;
    return true;
  }

  /** Reads the time up to its offset. */
  #readTime(start: number, before: number): boolean {
    const minute = this.#minute;
    if (before >= 0 && isSame(this.#view, before, start, minute.zoneAt)) return true;
    if (!minute.isBegunAt(this.#view, start, this.#end) && !this.#enterMinute(start)) return false;
    const seconds = this.#readSeconds(start + minute.secondsAt);
    this.#seconds = seconds;
    return seconds >= 0;
  }

  /** Reads what stands between the time and the number: offset, level, sender. @returns the position behind it, or 0 */
  #readMark(start: number, before: number): number {
    const view = this.#view;
    const minute = this.#minute;
    const zone = start + minute.zoneAt;
    if (before >= 0) {
      const length = this.#numberAt - before - minute.zoneAt;
      const at = zone + length;
      if (at <= this.#end && isSame(view, before + minute.zoneAt, zone, length)) return at;
    }
    if (!minute.isZoneAt(view, start, this.#end) && !this.#enterMinute(start)) return 0;
    let at = this.#readLevel(start + minute.timeEnd);
    if (at > 0 && this.#parts.isLoggerFirst) {
      at = this.#readLogger(at);
      if (at > 0) at++;
    }
    return at > 0 ? this.#readSender(at) : 0;
  }

  /** Reads what follows the number. @returns the position behind it, or 0 */
  #readBehind(start: number, before: number): number {
    const view = this.#view;
    const parts = this.#parts;
    if (before >= 0 && this.sender !== undefined) {
      const at = start + this.#restLength;
      const isAlike = at <= this.#end && isSame(view, this.#numberEnd, start, this.#restLength);
      // In logfmt nothing but the end tells a name from a longer one.
      if (isAlike && this.#isEnd(at)) return at;
    }
    const between = this.sender === undefined ? parts.noSenderToLogger : parts.numberToLogger;
    if (!between.isAt(view, start, this.#end)) return 0;
    let at = start + between.length;
    if (!parts.isLoggerFirst) at = this.#readLogger(at);
    return at > 0 && parts.afterLogger.isAt(view, at, this.#end) ? at + parts.afterLogger.length : 0;
  }

  /** Trailing spaces are left out, also the one behind the head. */
  #isEnd(at: number): boolean {
    this.end = at;
    if (!this.#parts.isSpaced) return true;
    const byte = this.#bytes[at];
    return byte === space || byte === newline || byte === undefined;
  }

  #change(format: LineFormat): void {
    this.#format = format;
    this.#parts = headBytes(format);
    this.#before = -1;
    this.#minute = this.#minuteOf(format);
  }

  #minuteOf(format: LineFormat): Minute {
    let minute = this.#minutes.get(format);
    if (minute === undefined) {
      minute = new Minute(format, this.#timezone);
      this.#minutes.set(format, minute);
    }
    return minute;
  }

  /** @returns false when there is no such time */
  #enterMinute(start: number): boolean {
    return this.#minute.enter(this.#bytes, this.#view, start);
  }

  /** @returns the seconds and milliseconds in ms, or -1 */
  #readSeconds(at: number): number {
    const bytes = this.#bytes;
    const tens = (bytes[at] ?? 0) - zero;
    const ones = (bytes[at + 1] ?? 0) - zero;
    if (tens < 0 || tens > 5 || ones < 0 || ones > 9) return -1;
    const ms = (tens * 10 + ones) * 1000;
    if (!this.#minute.isExact) return ms;
    const a = (bytes[at + 3] ?? 0) - zero;
    const b = (bytes[at + 4] ?? 0) - zero;
    const c = (bytes[at + 5] ?? 0) - zero;
    if (bytes[at + 2] !== dot || a < 0 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9) return -1;
    return ms + a * 100 + b * 10 + c;
  }

  /** @returns the position behind it and what comes before the sender, or 0 */
  #readLevel(start: number): number {
    const { levels, beforeLevel } = this.#parts;
    const level = levels[this.#bytes[start + beforeLevel.length] ?? 0];
    if (level === undefined || !level.pattern.isAt(this.#view, start, this.#end)) return 0;
    this.level = level.name;
    return start + level.pattern.length;
  }

  /** Reads `web[812]#` or `-`. @returns the position behind it, or 0 */
  #readSender(start: number): number {
    const bytes = this.#bytes;
    if (bytes[start] === dash) {
      this.sender = undefined;
      this.number = 0;
      return start + 1;
    }
    const label = labelEnd(bytes, start);
    const { beforeNumber } = this.#parts;
    if (label === 0 || !beforeNumber.isAt(this.#view, label, this.#end)) return 0;
    this.sender = this.#senders.find(this.#view, start, label);
    return label + beforeNumber.length;
  }

  /** @returns the position behind it, or 0 */
  #readNumber(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let number = 0;
    let at = start;
    for (; at < end; at++) {
      const digit = (bytes[at] ?? 0) - zero;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    if (at === start || at - start > mostDigits || bytes[start] === zero) return 0;
    this.number = number;
    return at;
  }

  /** @returns the position behind it, or 0 */
  #readLogger(start: number): number {
    const bytes = this.#bytes;
    const last = start + longestName;
    let at = start;
    while (at < last && isNameByte[bytes[at] ?? 0] === 1) at++;
    if (at === start) return 0;
    this.logger = this.#loggers.find(this.#view, start, at);
    return at;
  }
}

/** Where the label of a sender ends, `web[812]`; or 0. */
function labelEnd(bytes: Buffer, start: number): number {
  const last = start + longestName;
  let at = start;
  while (at < last && isNameByte[bytes[at] ?? 0] === 1) at++;
  if (at === start || bytes[at] !== openBracket) return 0;
  const digits = ++at;
  while (at < last) {
    const digit = (bytes[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) break;
    at++;
  }
  return at > digits && bytes[at] === closeBracket ? at + 1 : 0;
}

const longWord = 8;
const shortWord = 4;

/**
 * Whether the same bytes stand at two places, at the first of which they are ASCII without a NUL: why doubles can tell, see
 * {@link Pattern}.
 */
function isSame(view: DataView, one: number, other: number, length: number): boolean {
  if (length >= longWord) {
    const last = length - longWord;
    // Most heads differ at their ends, if they do.
    if (view.getFloat64(one + last) !== view.getFloat64(other + last)) return false;
    for (let n = 0; n < last; n += longWord) {
      if (view.getFloat64(one + n) !== view.getFloat64(other + n)) return false;
    }
    return true;
  }
  if (length >= shortWord) {
    const last = length - shortWord;
    return (
      view.getInt32(one + last) === view.getInt32(other + last) && view.getInt32(one) === view.getInt32(other)
    );
  }
  for (let n = 0; n < length; n++) if (view.getUint8(one + n) !== view.getUint8(other + n)) return false;
  return true;
}
