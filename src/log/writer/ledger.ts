// The log file read as a ledger: which records of which sender are in it.

import * as v from 'valibot';
import { maxOpening, mayBegin, parseHead, parseRecord } from '../formats/formats.js';
import type { Head } from '../formats/line-format.js';

/** Told in the file's order that of a sender everything up to a number is there, or was told to be lost. */
export type OnFound = (sender: string, epoch: string, last: number) => void;

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

/**
 * Reads bytes of a log file, chunk by chunk.
 *
 * A line tells its sender's label and number. Which sender of that label it was (process numbers come again, and
 * containers share them) tells the writer's note before it: whenever a label's lines change their sender, and
 * for each sender at the begin of a file, there is one. So the file alone says what is in it.
 */
export class Ledger {
  readonly #onFound: OnFound;
  /** The epoch of each label's lines at this place of the file. */
  readonly #epochs: Map<string, string>;
  /** As latin1, it has the offsets of the bytes. */
  #unread = '';
  /** Where what is unread begins. */
  #at: number;
  #end: number;
  /** The record whose last line has not come yet. */
  #open: Head | undefined;

  /** @param epochs by label, as at `start`; is kept up to date */
  constructor(onFound: OnFound, epochs: Map<string, string>, start = 0) {
    this.#onFound = onFound;
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
    return this.#open !== undefined || mayBegin(this.#unread.slice(0, maxOpening));
  }

  /** Takes the next bytes. */
  feed(chunk: Buffer): void {
    const text = this.#unread + chunk.toString('latin1');
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#line(text, start, end);
      start = end + 1;
    }
    this.#at += start;
    this.#unread = text.slice(start);
  }

  #line(text: string, start: number, end: number): void {
    this.#open = parseHead(text, start) ?? this.#open;
    if (this.#open !== undefined && text[end - 1] === ' ') return;
    if (this.#open !== undefined) this.#take(this.#open, text.slice(start, end));
    this.#open = undefined;
    this.#end = this.#at + end + 1;
  }

  #take({ sender, number }: Head, line: string): void {
    if (sender !== undefined) this.#onFound(sender, this.#epochs.get(sender) ?? '', number);
    else this.#note(parseNote(line));
  }

  #note(note: LedgerNote | undefined): void {
    if (note === undefined || 'file' in note) return;
    if ('positions' in note) {
      for (const position of note.positions) this.#onFound(...position);
      return;
    }
    const { sender, epoch } = note;
    if ('last' in note) this.#epochs.set(sender, epoch);
    this.#onFound(sender, epoch, 'last' in note ? note.last : note.to);
  }
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
