// The log file read as a ledger: which records of which sender are in it.

import * as v from 'valibot';
import { mayBegin, parseRecord } from '../format/formats.js';
import type { Head } from '../format/line-format.js';
import type { Chunk } from '../read/chunks.js';
import { type Found, RecordScanner } from '../read/records.js';

/** Told in the file's order that of a sender everything up to a number is there, or was told to be lost. */
export type OnFound = (sender: string, epoch: string, last: number) => void;

/** How far a log was with one sender when a file ended: the sender's label and epoch, and its last number. */
export type CarriedPosition = readonly [sender: string, epoch: string, last: number];

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const noteSchema = v.union([
  v.object({ sender: v.string(), epoch: v.string(), last: number }),
  v.object({ sender: v.string(), epoch: v.string(), from: number, to: number }),
  // Its own id, so that no two files begin alike.
  v.object({ file: v.string(), after: v.optional(v.string()), isGone: v.optional(v.boolean()) }),
  v.object({ positions: v.array(v.tuple([v.string(), v.string(), number])) }),
]);

/** What the machine-readable part of a note holds. */
export type LedgerNote = v.InferOutput<typeof noteSchema>;

/** The logger name of the writer's own notes. */
export const noteLogger = 'linod.log';

/** A file that ends within a record, which then begins at `at`, or within a line of someone else's. */
export interface Unfinished {
  readonly at: number;
  readonly isRecord: boolean;
}

/**
 * Reads the chunks of a log file from `start` on.
 *
 * A line tells its sender's label and number. Which sender of that label it was (process numbers come again, and
 * containers share them) tells the writer's note before it: whenever a label's lines change their sender, and
 * for each sender at the begin of a file, there is one. So the file alone says what is in it.
 *
 * @param epochs of the lines of each label, as at `start`; is kept up to date
 * @returns what there is behind the last whole record or line; undefined for nothing
 */
export async function readLedger(
  chunks: AsyncIterable<Chunk>,
  { timezone, start, epochs }: { timezone: string; start: number; epochs: Map<string, string> },
  onFound: OnFound,
): Promise<Unfinished | undefined> {
  const scanner = new RecordScanner(timezone);
  let [at, unfinished]: [number, Unfinished | undefined] = [start, undefined];
  for await (const chunk of chunks) {
    for (const found of scanner.scan(chunk)) {
      unfinished = undefined;
      if (found.kind === 'record') takeRecord(found.head, () => textOf(chunk, found), epochs, onFound);
      else if (chunk.isTail) unfinished = unfinishedOf(found, textOf(chunk, found), at);
    }
    at += chunk.bytes.length;
  }
  return unfinished;
}

function textOf({ bytes }: Chunk, { start, end }: Found): string {
  return bytes.toString('latin1', start, end);
}

function unfinishedOf({ kind, start }: Found, text: string, chunkAt: number): Unfinished | undefined {
  if (kind !== 'torn' && text.endsWith('\n')) return undefined;
  return { at: chunkAt + start, isRecord: kind === 'torn' || mayBegin(text) };
}

function takeRecord(
  { sender, number }: Head,
  text: () => string,
  epochs: Map<string, string>,
  onFound: OnFound,
): void {
  if (sender !== undefined) {
    onFound(sender, epochs.get(sender) ?? '', number);
    return;
  }
  const note = parseNote(text());
  if (note === undefined || 'file' in note) return;
  if ('positions' in note) {
    for (const position of note.positions) onFound(...position);
    return;
  }
  if ('last' in note) epochs.set(note.sender, note.epoch);
  onFound(note.sender, note.epoch, 'last' in note ? note.last : note.to);
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
