// Lines of text, made into records.

import { type LevelName, parseLevel } from '../levels.js';
import { keptBytes, type Line } from './line-splitter.js';
import { visibleText } from './visible-text.js';

export interface LineRecord {
  /** The level word that the record begins with; undefined when it begins with none. */
  readonly level: LevelName | undefined;
  readonly text: string;
  /** Whether the record was longer than what is kept of one; its text says so, too. */
  readonly isCut: boolean;
}

const space = 0x20;
const tab = 0x09;

/**
 * A line is a record. A line that begins with a space or a tab goes on with the record before, as the lines of a
 * stack do; an empty line only separates such lines.
 *
 * A record is handed on when the next begins, or by {@link flush}.
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
    else if (this.#lines.length === 0 && isBlank(bytes)) return;
    const room = Math.max(0, keptBytes - this.#kept);
    const kept = bytes.length > room || size > bytes.length ? wholeCharacters(bytes, room) : bytes;
    const isFirst = this.#lines.length === 0;
    // Behind a line that was cut, others would seem to follow it.
    if (isFirst || this.#kept === this.#size) this.#lines.push(visibleText(kept));
    this.#size += size + (isFirst ? 0 : 1);
    this.#kept += kept.length + (isFirst ? 0 : 1);
  }

  /** Hands on the record that might have been continued. */
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

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === space || byte === tab);
}

/** The first so many bytes, but for a character that would be cut in two. */
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
