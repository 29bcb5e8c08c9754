// Splits text, such as another program's output, into records of limited size.

import { type LevelName, parseLevel } from '../../base/log-levels.js';
import { decodeVisibly } from '../format/visible-utf8.js';

export interface LineRecord {
  /** The level word that the record begins with; undefined when it begins with none. */
  readonly level: LevelName | undefined;
  readonly text: string;
  /** Whether the record was longer than what is kept of one; its text says so, too. */
  readonly isCut: boolean;
}

/**
 * Maximum bytes of a line, and of a record of several lines; the rest is counted. Below the limit of a record,
 * since neutralised characters get longer.
 */
export const keptBytes = 48 * 1024;
/** How long a record waits for its continuation. */
export const idleMs = 100;

const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;

export interface Line {
  /** Without its end (`\n` or `\r\n`); at most {@link keptBytes}. */
  readonly bytes: Buffer;
  /** The bytes that there were. */
  readonly size: number;
}

/** Makes lines of bytes. Memory is bounded by {@link keptBytes}, whatever comes. */
export class LineSplitter {
  /** The beginning of a line that has not ended. */
  #begun: Buffer = Buffer.alloc(0);
  #size = 0;

  /** Reads bytes. @returns the lines that end there; they may share memory with `chunk` */
  *push(chunk: Buffer): Generator<Line> {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      this.#add(chunk.subarray(from, end));
      yield this.#line();
      from = end + 1;
    }
    this.#add(chunk.subarray(from));
  }

  /** The line that lacks its end; undefined when there is none. */
  end(): Line | undefined {
    return this.#size === 0 ? undefined : this.#line();
  }

  #add(bytes: Buffer): void {
    const kept = bytes.subarray(0, keptBytes - this.#begun.length);
    this.#size += bytes.length;
    if (kept.length > 0) this.#begun = this.#begun.length === 0 ? kept : Buffer.concat([this.#begun, kept]);
  }

  #line(): Line {
    const hasReturn = this.#size === this.#begun.length && this.#begun.at(-1) === carriageReturn;
    const bytes = hasReturn ? this.#begun.subarray(0, -1) : this.#begun;
    const size = hasReturn ? this.#size - 1 : this.#size;
    this.#begun = Buffer.alloc(0);
    this.#size = 0;
    return { bytes, size };
  }
}

/**
 * A line is a record. A line that begins with a space or a tab continues the record before, as in a stack
 * trace. An empty line only separates such lines.
 *
 * A record is passed on when the next one begins, or by {@link flush}.
 */
export class LineRecords {
  readonly #onRecord: (record: LineRecord) => void;
  #lines: string[] = [];
  #kept = 0;
  #size = 0;

  constructor(onRecord: (record: LineRecord) => void) {
    this.#onRecord = onRecord;
  }

  add({ bytes, size }: Line): void {
    const goesOn = bytes.length === 0 || bytes[0] === space || bytes[0] === tab;
    if (!goesOn) this.flush();
    const isFirst = this.#lines.length === 0;
    if (isFirst && goesOn && bytes.every((byte) => byte === space || byte === tab)) return;
    const room = Math.max(0, keptBytes - this.#kept);
    const kept = bytes.length > room || size > bytes.length ? wholeCharacters(bytes, room) : bytes;
    // Lines after a line that was cut would seem to follow it.
    if (isFirst || this.#kept === this.#size) this.#lines.push(decodeVisibly(kept));
    this.#size += size + (isFirst ? 0 : 1);
    this.#kept += kept.length + (isFirst ? 0 : 1);
  }

  /** Passes on the last record, which might have been continued. */
  flush(): void {
    if (this.#lines.length === 0) return;
    const isCut = this.#kept < this.#size;
    const text = this.#lines.join('\n') + (isCut ? ` … [cut: ${this.#size} bytes]` : '');
    this.#lines = [];
    this.#kept = 0;
    this.#size = 0;
    this.#onRecord({ level: levelWord(text), text, isCut });
  }
}

/** The first `keptBytes` bytes, without a character that would be cut in two. */
function wholeCharacters(bytes: Buffer, length: number): Buffer {
  let end = Math.min(bytes.length, length);
  // At most three bytes of a character follow its first.
  for (let i = 0; i < 3 && end > 0 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80; i++) end--;
  if (end > 0 && (bytes[end - 1] ?? 0) >= 0xc0) end--;
  return bytes.subarray(0, end);
}

/** In capitals behind which a space, a colon or a bracket closes; or in any way before a colon. */
const beginning = /^[[(<]?([A-Z]{4,8})(?=[\])>:\s]|$)|^([A-Za-z]{4,8}):/;
const words = new Set(['DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL']);

/** The level that a line of text names at its beginning, as in `ERROR …`, `[WARN] …`, `error: …`. */
export function levelWord(text: string): LevelName | undefined {
  const found = beginning.exec(text);
  const word = (found?.[1] ?? found?.[2] ?? '').toUpperCase();
  return words.has(word) ? parseLevel(word).value : undefined;
}

export interface StreamOptions {
  readonly input: AsyncIterable<Buffer>;
  readonly onRecord: (record: LineRecord) => void;
  /** Awaited before more is read, so that the program waits for the log. */
  readonly room: () => Promise<void>;
}

/** Reads a stream to its end. Memory is bounded, however long the stream and its lines are. */
export async function readRecords({ input, onRecord, room }: StreamOptions): Promise<void> {
  const splitter = new LineSplitter();
  const records = new LineRecords(onRecord);
  let idle: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of input) {
      clearTimeout(idle);
      for (const line of splitter.push(chunk)) records.add(line);
      idle = setTimeout(() => records.flush(), idleMs);
      await room();
    }
  } finally {
    clearTimeout(idle);
    const last = splitter.end();
    if (last !== undefined) records.add(last);
    records.flush();
  }
}
