// Checks whether a log is complete, for `linod log verify` and the console.

import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { WrittenUpTo } from '../writer/checkpoint.js';
import { type LedgerNote, parseNote } from '../writer/ledger.js';
import { type Chunk, chunksOf } from './chunks.js';
import { type Fault, Faults } from './faults.js';
import { fingerprintOf, type LogPart, openPart, predecessorOf } from './files.js';
import type { Position } from './position.js';
import { detach, type Found, RecordScanner } from './records.js';
import { type Numbers, type RecordPosition, Sequence } from './sequence.js';

/** The records of one sender; all numbers are inclusive. */
export interface SenderReport {
  readonly sender: string;
  readonly epoch: string;
  /** Its first number in these files: 1, unless older files are missing. */
  readonly first: number;
  /** One less than `first` where no number is accounted for. */
  readonly last: number;
  readonly records: number;
  /** Missing, and no note says why. */
  readonly missing: number;
  /** Present more than once. */
  readonly doubled: number;
  /** How often a number follows a higher one. */
  readonly disordered: number;
  /** Reported as lost by the writer. */
  readonly lost: number;
}

/** Numbers of a sender that the writer reported as lost. */
export interface LostNumbers extends Numbers {
  readonly sender: string;
  readonly epoch: string;
}

/** A file as it was read. */
export interface PartReport {
  readonly path: string;
  /** Uncompressed. */
  readonly bytes: number;
  readonly lines: number;
}

/** The result of a check. */
export interface LogReport {
  /** Whether no fault was found. A record that is reported as lost is no fault. */
  readonly isSound: boolean;
  /** Whole records, without the writer's own notes. */
  readonly records: number;
  readonly bytes: number;
  readonly files: readonly PartReport[];
  /** In the order in which they were met. */
  readonly senders: readonly SenderReport[];
  /** The first thousand ranges. */
  readonly lost: readonly LostNumbers[];
  readonly faults: readonly Fault[];
  /** How many faults were found; of each kind, the first thousand are listed. */
  readonly faultCount: number;
}

export interface VerifyOptions {
  /** The site's time zone, for times without an offset. Default UTC. */
  readonly timezone?: string | undefined;
  /** The file that a writer may be appending to. Its unfinished last record is no fault. */
  readonly growing?: string | undefined;
  /** What the writer had written before the files were found. */
  readonly written?: WrittenUpTo | undefined;
}

/**
 * Reads log files, the oldest first. Checks that each sender's numbers are consecutive, and that there are no
 * other lines. Memory depends on the number of senders and on the damage, not on the size.
 *
 * Missing files at the beginning are no fault: each file says where its senders continue. Records that the
 * writer reported as lost are listed, and no fault. An unreadable file is a fault.
 */
export async function verifyLog(parts: readonly LogPart[], options: VerifyOptions = {}): Promise<LogReport> {
  const check = new LogCheck(options.timezone);
  for (const part of parts) {
    check.begin(part);
    await check.read(part, { mayGrow: part.path === options.growing, written: options.written });
  }
  if (options.written !== undefined) check.checkNewest(parts, options.written, options.growing);
  return check.report();
}

type BeginNote = Extract<LedgerNote, { file: string }>;

const newline = 0x0a;
const space = 0x20;
const nul = 0x00;
const shownBytes = 200;
const mostListed = 1000;
/** Within this time, a writer finishes the record that it is writing. */
const growMs = 2000;
const pollMs = 50;

export interface CheckReadOptions {
  /** Whether a writer may be appending to it: see {@link VerifyOptions}. */
  readonly mayGrow: boolean;
  readonly written?: WrittenUpTo | undefined;
  /** Called after each chunk of so many bytes. Reading ends there when it resolves to false. */
  readonly pace?: ((bytes: number) => Promise<boolean>) | undefined;
}

/** A check that can go on when the log has grown. */
export class LogCheck {
  readonly #timezone: string;
  readonly #faults = new Faults();
  readonly #files: PartReport[] = [];
  readonly #lost: Array<LostNumbers & RecordPosition> = [];
  readonly #sequences = new Map<string, Sequence>();
  /** The sequence of each label at this position of the file, and in the files before. */
  readonly #current = new Map<string, Sequence>();
  readonly #earlier = new Map<string, Sequence>();
  #file = '';
  #records = 0;
  /** Whether something was found in this file. */
  #isBegun = false;
  /** The fingerprints of this file and of those before it. */
  readonly #met = new Set<string>();

  /** What was read of the current file. */
  #scanner: RecordScanner;
  #bytes = 0;
  #isListed = false;
  /** Where the chunk begins that is being read. */
  #chunkAt: Position = { file: '', offset: 0 };
  /** Whether it has judged something that may change yet, so that only a new check can go on. */
  isFinal = false;

  /** @param timezone the site's, for times without an offset. Default UTC */
  constructor(timezone = 'UTC') {
    this.#timezone = timezone;
    this.#scanner = new RecordScanner(timezone);
  }

  /** How many bytes of the current file were read, uncompressed. */
  get readBytes(): number {
    return this.#bytes;
  }

  /** Numbers that the writer reported as lost. */
  get lost(): ReadonlyArray<LostNumbers & RecordPosition> {
    return this.#lost;
  }

  get sequences(): Iterable<Sequence> {
    return this.#sequences.values();
  }

  /** Turns to the next file. */
  begin(part: LogPart): void {
    this.#file = part.path;
    this.#scanner = new RecordScanner(this.#timezone);
    this.#bytes = 0;
    this.#isListed = false;
    for (const [label, sequence] of this.#current) this.#earlier.set(label, sequence);
    this.#current.clear();
    this.#isBegun = false;
    this.#met.add(fingerprintOf(part.firstLine));
  }

  /**
   * Reads the current file, or what was added to it since.
   *
   * @param part the current file, which may have been renamed since
   * @returns false when it was removed or renamed after it was found, as old files are. If it was a newer one, its
   *   records count as missing.
   */
  async read(part: LogPart, { mayGrow, written, pace }: CheckReadOptions): Promise<boolean> {
    const scanner = this.#scanner;
    this.#file = part.path;
    let handle: FileHandle | undefined;
    try {
      handle = await openPart(part, { orPacked: true });
      if (handle === undefined) return false;
      await this.#readFrom(handle, part, mayGrow, pace);
      // Even an empty file has some bytes in gzip.
      if (part.bytes === 0 && part.path.endsWith('.gz'))
        this.#faults.add({ kind: 'unreadable', file: part.path, line: 1, problem: 'it is empty' });
      if (written?.file === fingerprintOf(part.firstLine) && this.#bytes < written.offset)
        this.#shorten(
          written,
          `${written.offset - this.#bytes} bytes of this file`,
          part.path,
          scanner.lines,
        );
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#faults.add({ kind: 'unreadable', file: part.path, line: scanner.lines + 1, problem });
    } finally {
      await handle?.close();
    }
    if (this.#isListed) this.#files.pop();
    this.#files.push({ path: part.path, bytes: this.#bytes, lines: scanner.lines });
    this.#isListed = true;
    return true;
  }

  async #readFrom(
    handle: FileHandle,
    part: LogPart,
    mayGrow: boolean,
    pace: CheckReadOptions['pace'],
  ): Promise<void> {
    const file = fingerprintOf(part.firstLine);
    const to = mayGrow ? await wholeSize(handle) : undefined;
    for await (const chunk of chunksOf(handle, { from: this.#bytes, to })) {
      this.#chunkAt = { file, offset: this.#bytes };
      this.#checkBytes(chunk, this.#scanner.lines + 1);
      for (const found of this.#scanner.scan(chunk)) this.#take(found, chunk.bytes);
      this.#bytes += chunk.bytes.length;
      this.isFinal ||= chunk.isTail && mayGrow;
      if ((await pace?.(chunk.bytes.length)) === false) return;
    }
  }

  /** Whether the file of the writer's checkpoint exists, or one that follows it. */
  checkNewest(parts: readonly LogPart[], written: WrittenUpTo, growing = ''): void {
    const isKnown = (part: LogPart) =>
      written.file === fingerprintOf(part.firstLine) || written.file === predecessorOf(part);
    if (parts.some(isKnown)) return;
    this.#shorten(written, 'all of this file, which was removed or emptied', growing, 1);
  }

  #shorten({ positions }: WrittenUpTo, problem: string, file: string, line: number): void {
    this.#faults.add({ kind: 'shortened', file, line, problem });
    this.isFinal = true;
    const position = { ...this.#chunkAt, offset: this.#bytes };
    for (const { sender, epoch, last } of positions)
      this.#sequences.get(`${sender} ${epoch}`)?.continueAfter(last, { file, line, position });
  }

  /** What was found so far. */
  report(): LogReport {
    const sequences = [...this.#sequences.values()];
    const faults = this.#faults.copy();
    for (const sequence of sequences) sequence.end(faults);
    return {
      isSound: faults.count === 0,
      records: this.#records,
      bytes: this.#files.reduce((sum, { bytes }) => sum + bytes, 0),
      files: [...this.#files],
      senders: sequences.map(reportOf),
      lost: this.#lost.map(({ position: _, ...lost }) => lost),
      faults: faults.list(this.#files.map(({ path }) => path)),
      faultCount: faults.count,
    };
  }

  #take(found: Found, bytes: Buffer): void {
    const { kind, head, line, start, end } = found;
    const file = this.#file;
    const position = { ...this.#chunkAt, offset: this.#chunkAt.offset + start };
    if (kind !== 'record') {
      this.#isBegun = true;
      const text = bytes.toString('utf8', start, Math.min(end, start + shownBytes));
      const sender = head?.sender && detach(head.sender);
      this.#faults.add({ kind, file, line, sender, number: head?.number, text });
    } else if (head.sender === undefined) {
      this.#note(parseNote(bytes.toString('utf8', start, end)), { file, line, position });
    } else {
      if (!this.#isBegun) this.#miss(line);
      this.#records++;
      const sequence = this.#sequenceOf(head.sender, head.number, line);
      sequence.take(head.number, found.instant, { file, line, position });
    }
  }

  #sequenceOf(sender: string, number: number, line: number): Sequence {
    const current = this.#current.get(sender);
    if (current !== undefined) return current;
    // The note before its first record in this file is missing.
    const label = detach(sender);
    const sequence = this.#earlier.get(label) ?? this.#of(label, '', number - 1);
    this.#current.set(label, sequence);
    this.#faults.add({ kind: 'unannounced', file: this.#file, line, sender: label, number });
    return sequence;
  }

  #of(label: string, epoch: string, last: number): Sequence {
    const key = `${label} ${epoch}`;
    let sequence = this.#sequences.get(key);
    if (sequence === undefined) {
      sequence = new Sequence(label, epoch, last, this.#faults);
      this.#sequences.set(key, sequence);
    }
    return sequence;
  }

  #note(note: LedgerNote | undefined, position: RecordPosition): void {
    const isBegin = note !== undefined && 'file' in note;
    if (!isBegin && !this.#isBegun) this.#miss(position.line);
    this.#isBegun = true;
    if (note === undefined) return;
    if ('file' in note) this.#checkBefore(note, position.line);
    else if ('positions' in note) {
      for (const [sender, epoch, last] of note.positions)
        this.#of(sender, epoch, last).continueAfter(last, position);
    } else if ('from' in note) {
      const { sender, epoch, from, to } = note;
      if (to < from) return;
      this.#of(sender, epoch, from - 1).lose(from, to, position);
      if (this.#lost.length < mostListed) this.#lost.push({ sender, epoch, from, to, ...position });
    } else {
      const { sender, epoch, last } = note;
      const sequence = this.#of(sender, epoch, last);
      // From here on, the lines of that label are this sender's.
      this.#current.set(sender, sequence);
      sequence.continueAfter(last, position);
    }
  }

  /** The file does not begin with the note that begins each log file. */
  #miss(line: number): void {
    this.#isBegun = true;
    this.#faults.add({ kind: 'beheaded', file: this.#file, line });
  }

  /** Whether the file before this one exists. The oldest ones may have been removed. */
  #checkBefore({ after, isGone = false }: BeginNote, line: number): void {
    const isOldest = this.#files.length === (this.#isListed ? 1 : 0);
    if (after === undefined || this.#met.has(after) || (isOldest && !isGone)) return;
    const problem = isGone
      ? 'it was removed or emptied, and no copy is here'
      : 'it was begun after another file than those before it here';
    this.#faults.add({ kind: 'missing-file', file: this.#file, line, problem });
  }

  /** A NUL or invalid UTF-8 comes from a power failure or a failing disk, never from a record. */
  #checkBytes({ bytes }: Chunk, firstLine: number): void {
    if (isUtf8(bytes) && !bytes.includes(nul)) return;
    let line = firstLine;
    for (let start = 0, end = 0; start < bytes.length; start = end, line++) {
      end = bytes.indexOf(newline, start) + 1 || bytes.length;
      const part = bytes.subarray(start, end);
      if (isUtf8(part) && !part.includes(nul)) continue;
      this.#faults.add({
        kind: 'damaged',
        file: this.#file,
        line,
        text: part.toString('utf8', 0, shownBytes),
      });
    }
  }
}

/** The size of the whole records in a growing file; undefined when its end stays unfinished. */
async function wholeSize(file: FileHandle): Promise<number | undefined> {
  for (let waitedMs = 0; waitedMs < growMs; waitedMs += pollMs) {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, Math.max(0, size - 2));
    if (size === 0 || (size > 1 && buffer[1] === newline && buffer[0] !== space)) return size;
    await setTimeout(pollMs);
  }
  return undefined;
}

function reportOf(sequence: Sequence): SenderReport {
  const { sender, epoch, first, last, records, missing, doubled, disordered, lost } = sequence;
  return { sender, epoch, first, last, records, missing, doubled, disordered, lost };
}
