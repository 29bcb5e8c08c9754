// Reads the log file as a ledger: which records of which sender it holds.

import * as v from 'valibot';
import { mayBegin, parseRecord } from '../format/formats.js';
import type { Head } from '../format/line-format.js';
import type { Chunk } from '../read/chunks.js';
import { type Found, RecordScanner } from '../read/records.js';

/** Called in the file's order: of this sender, everything up to `last` is in the file or reported as lost. */
export type OnFound = (sender: string, epoch: string, last: number) => void;

/**
 * How far the log was with one sender when the file before ended: the sender's label, epoch and last number.
 */
export type CarriedPosition = readonly [sender: string, epoch: string, last: number];

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const noteSchema = v.union([
  v.object({ sender: v.string(), epoch: v.string(), last: number }),
  v.object({ sender: v.string(), epoch: v.string(), from: number, to: number }),
  // The id makes the first line of each file unique.
  v.object({ file: v.string(), after: v.optional(v.string()), isGone: v.optional(v.boolean()) }),
  v.object({ positions: v.array(v.tuple([v.string(), v.string(), number])) }),
]);

/** What the machine-readable part of a note holds. */
export type LedgerNote = v.InferOutput<typeof noteSchema>;

/** The logger name of the writer's own notes. */
export const noteLogger = 'linod.log';

/** The file ends within a record that begins at `at`, or within a line of another program. */
export interface Unfinished {
  readonly at: number;
  readonly isRecord: boolean;
}

/**
 * Reads the chunks of a log file from `start` on.
 *
 * A line holds its sender's label and number. Labels repeat, since process numbers do. So the writer adds a
 * note with the sender's epoch wherever a label changes its sender, and for each sender at the beginning of a
 * file.
 *
 * @param epochs of each label at `start`; is kept up to date
 * @returns what follows the last whole record or line; undefined for nothing
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

/** The machine-readable part of the writer's note; undefined if there is none. */
export function parseNote(record: string): LedgerNote | undefined {
  const parsed = parseRecord(record);
  if (parsed?.logger !== noteLogger || parsed.sender !== undefined) return undefined;
  const fields = parsed.fields ?? parseJson(parsed.message.slice(parsed.message.indexOf('{')));
  const note = v.safeParse(noteSchema, readLists(fields));
  return note.success ? note.output : undefined;
}

/** In logfmt, a list is JSON as text. */
function readLists(fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null || !('positions' in fields)) return fields;
  const { positions } = fields;
  return typeof positions === 'string' ? { positions: parseJson(positions) } : fields;
}

/** The formats for people have the fields at the end of the message. The message of a note has no braces. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a note for people only
  }
}
