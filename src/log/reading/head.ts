// The head of a record, read from bytes.

import { Pattern, viewOf } from '../bytes.js';
import { formatAt } from '../formats/formats.js';
import { type HeadBytes, headBytes } from '../formats/head-bytes.js';
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

/** So many levels, senders and loggers, each with each, are told apart without a look at all of their bytes. */
const mostKnown = 32;
/** More digits would not be exact. */
const mostDigits = 15;
/** A sender's label has at most 60 + 12 bytes, a logger's name 120. */
const longestName = 128;

/** How a level, a sender and a logger are written around the number. */
interface Known {
  /** From behind the seconds up to the number. */
  readonly mark: Pattern;
  readonly behind: Pattern;
  readonly level: LevelName;
  readonly sender: Name | undefined;
  readonly logger: Name;
}

/** Which bytes may be in a name: ASCII letters, digits, `_`, `.`, `@`, `+` and `-`. */
const isNameByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 && /[\w.@+-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Tells whether a line begins a record, in any of the log's formats, and what its head says. Stricter than what the writer
 * needs to find its place: a head with a damaged time, level or name is none.
 *
 * It compares bytes and makes no strings, but for names that it meets for the first time.
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
  /** As in the last records, mostly those of the next ones. */
  #known: Known[] = [];
  #recent = 0;
  #format: LineFormat = textFormat;
  #parts: HeadBytes = headBytes(textFormat);
  #minute: Minute;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#bytes);
  /** The length of these. */
  #end = 0;

  /** @param timezone the site's, for times that do not tell their offset */
  constructor(timezone = 'UTC') {
    this.#timezone = timezone;
    this.logger = this.#loggers.find(Buffer.from('root'), 0, 4);
    this.#minute = this.#minuteOf(this.#format);
  }

  /** Takes the bytes in which heads are to be read. */
  enter(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#end = bytes.length;
  }

  /**
   * Reads the head that begins at `start`, of a line that may go on.
   *
   * @returns false when there is none; then the fields hold nothing of use
   */
  read(start: number): boolean {
    const format = formatAt(this.#bytes, start);
    if (format === undefined) return false;
    if (format !== this.#format) this.#change(format);
    if (this.#end - start < this.#minute.shortestHead) return false;
    const minute = this.#minute;
    if (!minute.isBegunAt(this.#view, start, this.#end) && !this.#enterMinute(start)) return false;
    const ms = this.#readSeconds(start + minute.secondsAt);
    if (ms < 0) return false;
    if (!this.#readKnown(start + minute.zoneAt) && !this.#readParts(start)) return false;
    this.instant = minute.instant + ms;
    return true;
  }

  /** Whether a line whose head was read may end before the byte at `end`, where its newline is. */
  mayEndAt(end: number): boolean {
    const { lastByte } = this.#parts;
    return lastByte === undefined || this.#bytes[end - 1] === lastByte;
  }

  /** Reads all behind the seconds if, but for the number, it is as in the last record, or was so lately. */
  #readKnown(start: number): boolean {
    const { length } = this.#known;
    const view = this.#view;
    for (let n = 0, index = this.#recent; n < length; n++, index = index + 1 === length ? 0 : index + 1) {
      const known = this.#known[index];
      if (known === undefined || !known.mark.isAt(view, start, this.#end)) continue;
      const at = this.#readNumber(start + known.mark.length);
      if (at === 0 || !known.behind.isAt(view, at, this.#end)) continue;
      this.level = known.level;
      this.sender = known.sender;
      this.logger = known.logger;
      this.#recent = index;
      return this.#isEnd(at + known.behind.length);
    }
    return false;
  }

  /** Reads it whatever it is, and remembers how it is written. */
  #readParts(start: number): boolean {
    const parts = this.#parts;
    const view = this.#view;
    const minute = this.#minute;
    if (!minute.isZoneAt(view, start, this.#end) && !this.#enterMinute(start)) return false;
    const zone = start + minute.zoneAt;
    let at = this.#readLevel(start + minute.timeEnd);
    if (at === 0) return false;
    if (parts.isLoggerFirst) at = this.#readLogger(at);
    if (at > 0) at = this.#readSender(parts.isLoggerFirst ? at + 1 : at);
    if (at === 0) return false;
    const number = at;
    if (this.sender !== undefined) at = this.#readNumber(at);
    const behind = at;
    const between = this.sender === undefined ? parts.noSenderToLogger : parts.numberToLogger;
    if (at === 0 || !between.isAt(view, at, this.#end)) return false;
    at += between.length;
    if (!parts.isLoggerFirst) at = this.#readLogger(at);
    if (at === 0 || !parts.afterLogger.isAt(view, at, this.#end)) return false;
    at += parts.afterLogger.length;
    if (!this.#isEnd(at)) return false;
    if (this.sender !== undefined) this.#remember([zone, number], [behind, at]);
    return true;
  }

  #remember(mark: readonly [number, number], behind: readonly [number, number]): void {
    this.#recent = this.#known.length < mostKnown ? this.#known.length : (this.#recent + 1) % mostKnown;
    this.#known[this.#recent] = {
      mark: new Pattern(this.#bytes.subarray(...mark)),
      behind: new Pattern(this.#bytes.subarray(...behind)),
      level: this.level,
      sender: this.sender,
      logger: this.logger,
    };
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
    this.#known = [];
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
    if (!this.#minute.enter(this.#bytes, this.#view, start)) return false;
    // What is known has the zone of the minute that was left.
    this.#known = [];
    return true;
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
    this.sender = this.#senders.find(bytes, start, label);
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
    this.logger = this.#loggers.find(bytes, start, at);
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
