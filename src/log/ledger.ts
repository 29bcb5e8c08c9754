// The log file read as a ledger: which records of which sender are in it.

import { isSenderLabel, noSender, timeWidth } from './format.js';

/** Who is told what the ledger finds, in the file's order. */
export interface LedgerReader {
  /** Whole records of one sender with consecutive numbers. */
  records(sender: string, epoch: string, first: number, last: number): void;
  /** A note of the writer: from here on lines of `sender` are of `epoch`, and up to `last` all was written before. */
  turn(sender: string, epoch: string, last: number): void;
  /** A note of the writer: these numbers cannot come any more. */
  lost(sender: string, epoch: string, from: number, to: number): void;
  /** A record whose end is missing although something else follows it. */
  torn?(sender: string, number: number): void;
}

/** What the machine-readable part of a note holds. */
export type LedgerNote =
  | { readonly sender: string; readonly epoch: string; readonly last: number }
  | { readonly sender: string; readonly epoch: string; readonly from: number; readonly to: number };

/** The logger name of the writer's own notes. */
export const noteLogger = 'linod.log';

const space = 0x20;
const zero = 0x30;
const nine = 0x39;

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
  #unread = '';
  #at: number;
  #end: number;
  /** The records that were read last and not told yet. */
  #run: Run = { sender: '', mark: '', epoch: '', first: 1, last: 0 };
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
    return this.#open !== undefined || /^(\d|$)/.test(this.#unread);
  }

  /** Takes the next bytes. What they tell was told to the reader when it returns. */
  feed(chunk: Buffer): void {
    const text = this.#unread + chunk.toString('latin1');
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#line(text, start, end);
      start = end + 1;
    }
    this.#at += start;
    this.#unread = text.slice(start);
    this.#tell();
  }

  /** Nothing follows: a record without its end is torn. */
  finish(): void {
    if (this.#open !== undefined) this.#reader.torn?.(this.#run.sender, this.#open);
    this.#open = undefined;
  }

  #line(text: string, start: number, end: number): void {
    if (isDigit(text, start) && text.charCodeAt(start + timeWidth - 1) === space)
      this.#head(text, start, end);
    const isContinued = end > start && text.charCodeAt(end - 1) === space;
    if (this.#open !== undefined) {
      if (isContinued) return;
      this.#run.last = this.#open;
      this.#open = undefined;
    }
    this.#end = this.#at + end + 1;
  }

  #head(text: string, start: number, end: number): void {
    this.finish();
    const who = text.indexOf(' ', start + timeWidth) + 1;
    const { mark } = this.#run;
    if (mark === '' || !text.startsWith(mark, who)) {
      if (!this.#change(text.slice(start, end), who - start)) return;
    }
    let number = 0;
    for (let at = who + this.#run.mark.length; isDigit(text, at); at++) {
      number = number * 10 + text.charCodeAt(at) - zero;
    }
    if (number !== this.#run.last + 1) {
      this.#tell();
      this.#run.first = number;
      this.#run.last = number - 1;
    }
    this.#open = number;
  }

  /** Begins the run of the sender that this head names; false when it names none. */
  #change(line: string, who: number): boolean {
    this.#tell();
    const end = line.indexOf(' ', who);
    if (line.slice(who, end) === noSender) this.#note(line, end + 1);
    const sender = line.slice(who, line.indexOf('#', who));
    if (!isSenderLabel(sender)) return false;
    this.#run = { sender, mark: `${sender}#`, epoch: this.#epochs.get(sender) ?? '', first: 1, last: 0 };
    return true;
  }

  #tell(): void {
    const { sender, epoch, first, last } = this.#run;
    if (last >= first) this.#reader.records(sender, epoch, first, last);
    this.#run.first = last + 1;
  }

  #note(line: string, start: number): void {
    if (!line.startsWith(`${noteLogger}: `, start)) return;
    const note = parseNote(line.slice(line.indexOf('{', start)));
    if (note === undefined) return;
    const { sender, epoch } = note;
    // The lines of that label are another sender's from here on.
    this.#run.mark = '';
    if ('last' in note) {
      this.#epochs.set(sender, epoch);
      this.#reader.turn(sender, epoch, note.last);
    } else this.#reader.lost(sender, epoch, note.from, note.to);
  }
}

interface Run {
  readonly sender: string;
  /** How a line of this run names its sender, up to the number; empty when the next line decides. */
  mark: string;
  readonly epoch: string;
  first: number;
  last: number;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= zero && code <= nine;
}

function parseNote(json: string): LedgerNote | undefined {
  let note: unknown;
  try {
    note = JSON.parse(json);
  } catch {
    // A note without a machine-readable part, or with one of another kind.
    return undefined;
  }
  return isLedgerNote(note) ? note : undefined;
}

function isLedgerNote(note: unknown): note is LedgerNote {
  if (typeof note !== 'object' || note === null) return false;
  if (!('sender' in note && typeof note.sender === 'string')) return false;
  if (!('epoch' in note && typeof note.epoch === 'string')) return false;
  if ('last' in note) return typeof note.last === 'number';
  return 'from' in note && typeof note.from === 'number' && 'to' in note && typeof note.to === 'number';
}
