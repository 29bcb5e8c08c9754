// A log as records: which lines belong together, and which belong to nothing.

import type { Block } from './blocks.js';
import { HeadReader, type ReadHead } from './head.js';

/** Text that is no record, or not the whole of one. */
export interface Stray {
  /**
   * - `foreign`: no line of linod's;
   * - `headless`: the continuation of a record whose beginning is not there;
   * - `torn`: a record without its end;
   * - `cut`: a last line without its newline, of which cannot be told what it was to be.
   */
  readonly kind: 'foreign' | 'headless' | 'torn' | 'cut';
  /** The line of the file, from 1. */
  readonly line: number;
  /** Of a torn record: the sender's label, undefined for a note, and the number. */
  readonly sender?: string | undefined;
  readonly number?: number;
}

/** Who is told what a scanner finds, in the file's order. Bytes and heads are valid until the call returns. */
export interface ScanReader {
  /** A whole record: `bytes` from `start` to `end`, with the last newline; `line` is its first line's. */
  record(head: ReadHead, bytes: Buffer, start: number, end: number, line: number): void;
  /** A line that is none of a record, or what there is of a torn record. */
  stray(stray: Stray, bytes: Buffer, start: number, end: number): void;
}

const newline = 0x0a;
const space = 0x20;

/**
 * Puts lines together to records, in one pass over the bytes of one file.
 *
 * A record is a head line and its continuation lines, which begin with four spaces; each line but the last ends in a space.
 */
export class Scanner {
  readonly #reader: ScanReader;
  readonly #head: HeadReader;
  /** Lines that were read. */
  #line = 0;
  /** The record whose last line has not come yet: its first line, who and where it begins in this block. */
  #open: { readonly line: number; readonly sender: string | undefined; readonly number: number } | undefined;
  #openStart = 0;
  #isInLine = false;

  /** @param head keeps the names that were met, so that files of one log are given the same */
  constructor(reader: ScanReader, head: HeadReader = new HeadReader()) {
    this.#reader = reader;
    this.#head = head;
  }

  /** Lines so far. */
  get lines(): number {
    return this.#line;
  }

  /** Whether the last block ended within a line. */
  get isInLine(): boolean {
    return this.#isInLine;
  }

  feed({ bytes, isLineCut }: Pick<Block, 'bytes' | 'isLineCut'>): void {
    const head = this.#head;
    head.enter(bytes);
    this.#openStart = 0;
    let start = this.#isInLine ? this.#endOfLine(bytes) : 0;
    const length = bytes.length;
    while (start < length) {
      this.#line++;
      const mayBeHead = bytes[start] !== space && head.read(start);
      const found = bytes.indexOf(newline, mayBeHead ? head.end : start);
      const lineEnd = found < 0 ? length : found;
      const isHead = mayBeHead && head.mayEndAt(lineEnd);
      if (found < 0) this.#unfinished(bytes, start, isHead, isLineCut);
      else this.#take(bytes, start, found + 1, isHead);
      start = lineEnd + 1;
    }
    this.#isInLine = isLineCut;
  }

  /** Nothing follows: a record without its end is torn. */
  finish(): void {
    this.#tear(Buffer.alloc(0), 0);
  }

  #take(bytes: Buffer, start: number, end: number, isHead: boolean): void {
    const isContinued = end - start > 1 && bytes[end - 2] === space;
    if (isHead) {
      if (this.#open !== undefined) this.#tear(bytes, start);
      if (isContinued) this.#begin(start);
      else this.#reader.record(this.#head, bytes, start, end, this.#line);
      return;
    }
    const isIndented =
      bytes[start] === space &&
      bytes[start + 1] === space &&
      bytes[start + 2] === space &&
      bytes[start + 3] === space;
    if (this.#open === undefined) {
      this.#reader.stray({ kind: isIndented ? 'headless' : 'foreign', line: this.#line }, bytes, start, end);
    } else if (!isIndented) {
      this.#tear(bytes, start);
      this.#reader.stray({ kind: 'foreign', line: this.#line }, bytes, start, end);
    } else if (!isContinued) {
      const { line } = this.#open;
      this.#open = undefined;
      this.#reader.record(this.#head, bytes, this.#openStart, end, line);
    }
  }

  #begin(start: number): void {
    const { sender, number } = this.#head;
    this.#open = { line: this.#line, sender: sender?.text, number };
    this.#openStart = start;
  }

  #tear(bytes: Buffer, end: number): void {
    if (this.#open === undefined) return;
    const { line, sender, number } = this.#open;
    this.#open = undefined;
    this.#reader.stray({ kind: 'torn', line, sender, number }, bytes, Math.min(this.#openStart, end), end);
  }

  /** A line without its newline: the file ends in it, or it is longer than a block. */
  #unfinished(bytes: Buffer, start: number, mayBeHead: boolean, isLineCut: boolean): void {
    const end = bytes.length;
    const isHead = mayBeHead && !isLineCut;
    const isRest = this.#open !== undefined && bytes[start] === space;
    if (!isRest) this.#tear(bytes, start);
    if (isHead) this.#begin(start);
    else if (!isRest)
      this.#reader.stray({ kind: isLineCut ? 'foreign' : 'cut', line: this.#line }, bytes, start, end);
    if (!isLineCut) this.#tear(bytes, end);
  }

  /** Passes over the rest of a line that is longer than a block. @returns where the next one begins */
  #endOfLine(bytes: Buffer): number {
    const end = bytes.indexOf(newline);
    return end < 0 ? bytes.length : end + 1;
  }
}
