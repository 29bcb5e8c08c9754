// The log file read as a ledger: which records of which sender are in it.

import * as v from 'valibot';
import { maxOpening, mayBegin, parseRecord } from './formats/formats.js';
import { HeadScan } from './formats/head-scan.js';
import { noSender } from './names.js';

/** Who is told what the ledger finds, in the file's order. */
export interface LedgerReader {
  /** Whole records of one sender with consecutive numbers. */
  records(sender: string, epoch: string, first: number, last: number): void;
  /** A note of the writer: from here on lines of `sender` are of `epoch`, and up to `last` all was written before. */
  turn(sender: string, epoch: string, last: number): void;
  /** A note of the writer: these numbers cannot come any more. */
  lost(sender: string, epoch: string, from: number, to: number): void;
  /**
   * A note of the writer: the file begins.
   *
   * @param after the fingerprint of the file before it; undefined for the first
   */
  begin?(after: string | undefined): void;
  /** A note of the writer at the begin of a file: up to `last` all of that sender is in the files before. */
  carried?(sender: string, epoch: string, last: number): void;
  /** A record whose end is missing although something else follows it. */
  torn?(sender: string, number: number): void;
}

/** How far a log was with one sender when a file ended: the sender's label and epoch, and its last number. */
export type CarriedPosition = readonly [sender: string, epoch: string, last: number];

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const noteSchema = v.union([
  v.object({ sender: v.string(), epoch: v.string(), last: number }),
  v.object({ sender: v.string(), epoch: v.string(), from: number, to: number }),
  // Its own id, so that no two files begin alike.
  v.object({ file: v.string(), after: v.optional(v.string()) }),
  v.object({ positions: v.array(v.tuple([v.string(), v.string(), number])) }),
]);

/** What the machine-readable part of a note holds. */
export type LedgerNote = v.InferOutput<typeof noteSchema>;

/** The logger name of the writer's own notes. */
export const noteLogger = 'linod.log';

const newline = 0x0a;
const space = 0x20;

/**
 * Reads bytes of a log file, piece by piece.
 *
 * A line tells its sender's label and number. Which sender of that label it was (process numbers come again, and
 * containers share them) tells the writer's note before it: whenever a label's lines change their sender, and
 * for each sender at the begin of a file, there is one. So the file alone says what is in it.
 */
export class Ledger {
  readonly #reader: LedgerReader;
  /** The epoch of each label's lines at this place of the file. */
  readonly #epochs: Map<string, string>;
  readonly #head = new HeadScan();
  #unread: Buffer = Buffer.alloc(0);
  #at: number;
  #end: number;
  /** The records that were read last and not told yet. */
  #run: Run = noRun();
  /** The number of a record of that run whose last line has not come yet. */
  #open: number | undefined;

  /** @param epochs by label, as at `start`; is kept up to date */
  constructor(reader: LedgerReader, epochs: Map<string, string>, start = 0) {
    this.#reader = reader;
    this.#epochs = epochs;
    this.#at = start;
    this.#end = start;
  }

  /** Where the last whole record ends. What stands behind it was not finished. */
  get end(): number {
    return this.#end;
  }

  /** Whether what stands behind {@link end} is the begin of a record, and not some other text. */
  get endsInRecord(): boolean {
    return this.#open !== undefined || mayBegin(this.#unread.toString('latin1', 0, maxOpening));
  }

  /** Takes the next bytes. What they tell was told to the reader when it returns. */
  feed(chunk: Buffer): void {
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    this.#head.enter(bytes);
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      this.#line(bytes, start, end);
      start = end + 1;
    }
    this.#at += start;
    this.#unread = Buffer.from(bytes.subarray(start));
    this.#tell();
  }

  /** Nothing follows: a record without its end is torn. */
  finish(): void {
    if (this.#open !== undefined) this.#reader.torn?.(this.#run.sender, this.#open);
    this.#open = undefined;
  }

  #line(bytes: Buffer, start: number, end: number): void {
    if (this.#head.read(start) && this.#head.end <= end) this.#enter(bytes, start, end);
    if (this.#open !== undefined) {
      if (bytes[end - 1] === space) return;
      this.#run.last = this.#open;
      this.#open = undefined;
    }
    this.#end = this.#at + end + 1;
  }

  /** A record begins. */
  #enter(bytes: Buffer, start: number, end: number): void {
    this.finish();
    const { sender, number } = this.#head;
    if (sender === noSender) {
      this.#note(bytes.toString('utf8', start, end));
      return;
    }
    if (sender !== this.#run.sender) {
      this.#tell();
      this.#run = { sender, epoch: this.#epochs.get(sender) ?? '', first: 1, last: 0 };
    }
    if (number !== this.#run.last + 1) {
      this.#tell();
      this.#run.first = number;
      this.#run.last = number - 1;
    }
    this.#open = number;
  }

  #tell(): void {
    const { sender, epoch, first, last } = this.#run;
    if (last >= first) this.#reader.records(sender, epoch, first, last);
    this.#run.first = last + 1;
  }

  #note(line: string): void {
    const note = parseNote(line);
    if (note === undefined) return;
    this.#tell();
    if ('file' in note) this.#reader.begin?.(note.after);
    else if ('positions' in note) {
      for (const [sender, epoch, last] of note.positions) this.#reader.carried?.(sender, epoch, last);
    } else this.#senderNote(note);
  }

  #senderNote(note: Extract<LedgerNote, { sender: string }>): void {
    const { sender, epoch } = note;
    // The lines of that label are another sender's from here on.
    this.#run = noRun();
    if ('last' in note) {
      this.#epochs.set(sender, epoch);
      this.#reader.turn(sender, epoch, note.last);
    } else this.#reader.lost(sender, epoch, note.from, note.to);
  }
}

interface Run {
  readonly sender: string;
  readonly epoch: string;
  first: number;
  last: number;
}

/** No sender has this name, so the next record begins a run. */
function noRun(): Run {
  return { sender: '', epoch: '', first: 1, last: 0 };
}

/** What a note of the writer tells; undefined for one without such a part, and for what is none. */
export function parseNote(record: string): LedgerNote | undefined {
  const parsed = parseRecord(record);
  if (parsed?.logger !== noteLogger || parsed.sender !== undefined) return undefined;
  const fields = parsed.fields ?? parseJson(parsed.message.slice(parsed.message.indexOf('{')));
  const note = v.safeParse(noteSchema, readLists(fields));
  return note.success ? note.output : undefined;
}

/** In logfmt, a list is its JSON as text. */
function readLists(fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null || !('positions' in fields)) return fields;
  const { positions } = fields;
  return typeof positions === 'string' ? { positions: parseJson(positions) } : fields;
}

/** The formats for people have the fields at the end of the message; no message of a note has braces. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a note for people only
  }
}
