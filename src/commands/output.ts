// What commands print: data on stdout, talk on stderr; tables for people, plain lines in a pipe, JSON when asked.

import { styleText } from 'node:util';
import { escapeUnsafe } from '../log/formats/unsafe.js';

export type Style = Parameters<typeof styleText>[0];

/** The text in a colour, where there is a terminal that wants colours. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const wanted = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? styleText(style, text) : text;
}

/** Prints one line of data. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says something to the person at the terminal, which is no data. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a value as JSON: indented for a terminal, one line in a pipe. @param times the names of what is in ms since 1970 */
export function printJson(value: unknown, times: readonly string[] = []): void {
  const written = (name: string, inner: unknown) =>
    typeof inner === 'number' && times.includes(name) ? new Date(inner).toISOString() : inner;
  print(JSON.stringify(value, written, process.stdout.isTTY ? 2 : 0));
}

/** A row of the database as JSON: `queued_at` becomes `queuedAt`, in ISO 8601. */
export function rowJson(row: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      column.endsWith('_at') && typeof value === 'number' ? new Date(value) : value,
    ]),
  );
}

export interface Column<T> {
  readonly title: string;
  cell(row: T): string;
  readonly align?: 'right';
  /** How the cell is to stand out in a terminal; undefined for not at all. */
  style?(row: T): Style | undefined;
}

/** The rows below their titles, in columns. No titles' line when there are no rows. */
export function printTable<T>(columns: ReadonlyArray<Column<T>>, rows: readonly T[]): void {
  for (const line of tableLines(columns, rows)) print(line);
}

/** Prints what a command lists: as JSON where that was asked for, else as a table, or says that there is nothing. */
export function printList<T>(
  flags: { readonly json?: boolean },
  rows: readonly T[],
  { columns, json, none }: ListView<T>,
): void {
  if (flags.json) printJson(json === undefined ? rows : rows.map(json));
  else if (rows.length === 0) say(none);
  else printTable(columns, rows);
}

interface ListView<T> {
  readonly columns: ReadonlyArray<Column<T>>;
  /** A row as JSON; default: as it is. */
  readonly json?: (row: T) => unknown;
  /** What is said when there are no rows. */
  readonly none: string;
}

/** The lines of such a table. */
export function tableLines<T>(columns: ReadonlyArray<Column<T>>, rows: readonly T[]): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const padded = (column: Column<T>, text: string, i: number) =>
    column.align === 'right' ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
  const titles = columns.map((column, i) => padded(column, column.title, i)).join('  ');
  return [
    styled('bold', titles.trimEnd()),
    ...rows.map((row, r) =>
      columns
        .map((column, i) => {
          const text = padded(column, cells[r]?.[i] ?? '', i);
          const style = column.style?.(row);
          return style === undefined ? text : styled(style, text);
        })
        .join('  ')
        .trimEnd(),
    ),
  ];
}

/** The text on one line, with what a terminal might act upon shown as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return escapeUnsafe(text).replaceAll('\t', '\\x09');
}

/** The text in at most so many characters, if there is a limit; what is left out is shown by an ellipsis. */
export function shortened(text: string, length = Number.POSITIVE_INFINITY): string {
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`;
}

/** A terminal is written to no oftener than this. */
const everyMs = 100;

const beginOfLine = '\r';
const clearToEnd = '\x1b[K';

/** Writes nothing where there is no terminal. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(done: number, total: number | null = null, text: string | null = null): void {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    if (now - this.#writtenAt < everyMs) return;
    this.#writtenAt = now;
    this.#isShown = true;
    this.#stream.write(beginOfLine + progressText({ done, total, text }) + clearToEnd);
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#stream.write(beginOfLine + clearToEnd);
  }
}

/** `5000 of 20000 (25 %) orders_are_paid`. */
export function progressText({ done, total, text }: Progress): string {
  const count =
    total === null || total <= 0
      ? String(done)
      : `${done} of ${total} (${Math.floor((100 * done) / total)} %)`;
  return text === null ? count : `${count} ${text}`;
}

interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly text: string | null;
}
