// What commands print: data on stdout, talk on stderr; tables for people, plain lines in a pipe, JSON when asked.

import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** The text in a colour, on a terminal with colours. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const wanted = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? styleText(style, text) : text;
}

/** Prints one line of data. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a message to the person at the terminal, on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Prints a value as JSON: indented for a terminal, one line in a pipe.
 *
 * @param times names of fields in ms since 1970
 */
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
  /** The least width in a narrow terminal; default 8. Columns aligned right are never shortened. */
  readonly least?: number;
  /** Whether a narrow terminal may omit it. */
  readonly isSpare?: boolean;
  /** The style of the cell in a terminal; undefined for none. */
  style?(row: T): Style | undefined;
}

/** The `least` of a column of times: to the second, without the zone. */
export const leastTime = '2026-11-25T20:00:00…'.length;

/**
 * Prints the rows below their titles, in columns. Prints nothing when there are no rows. A terminal gets what fits
 * its width; a pipe gets everything.
 */
export function printTable<T>(columns: ReadonlyArray<Column<T>>, rows: readonly T[]): void {
  const { isTTY, columns: width } = process.stdout;
  for (const line of tableLines(columns, rows, isTTY && width > 0 ? width : undefined)) print(line);
}

/** Prints a list: as JSON with --json, otherwise as a table; or says that there is nothing. */
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
  /** A row as JSON; default: the row itself. */
  readonly json?: (row: T) => unknown;
  /** The message when there are no rows. */
  readonly none: string;
}

/** The lines of such a table, if possible within `room` characters; default: no limit. */
export function tableLines<T>(
  columns: ReadonlyArray<Column<T>>,
  rows: readonly T[],
  room = Number.POSITIVE_INFINITY,
): string[] {
  if (rows.length === 0) return [];
  const filled = columns.map((column) => {
    const cells = rows.map((row) => column.cell(row));
    const width = cells.reduce((widest, { length }) => Math.max(widest, length), column.title.length);
    return { column, cells, width };
  });
  const shown = fitted(filled, room);
  const padded = ({ column, width }: FilledColumn<T>, text: string) =>
    column.align === 'right' ? text.padStart(width) : shortened(text, width).padEnd(width);
  const titles = shown.map((filled) => padded(filled, filled.column.title)).join('  ');
  return [
    styled('bold', titles.trimEnd()),
    ...rows.map((row, r) =>
      shown
        .map((filled) => {
          const text = padded(filled, filled.cells[r] ?? '');
          const style = filled.column.style?.(row);
          return style === undefined ? text : styled(style, text);
        })
        .join('  ')
        .trimEnd(),
    ),
  ];
}

interface FilledColumn<T> {
  readonly column: Column<T>;
  readonly cells: readonly string[];
  width: number;
}

/** Omits empty columns and then spare ones, then shortens the widest, until all fit or nothing can shrink. */
function fitted<T>(filled: ReadonlyArray<FilledColumn<T>>, room: number): ReadonlyArray<FilledColumn<T>> {
  let kept = filled;
  const excess = () => kept.reduce((sum, { width }) => sum + 2 + width, -2) - room;
  const empty = filled.filter(({ cells }) => cells.every((cell) => cell === ''));
  const spare = filled.filter(({ column }) => column.isSpare).reverse();
  for (const left of [...empty, ...spare]) if (excess() > 0) kept = kept.filter((one) => one !== left);
  for (let over = excess(); over > 0; over--) {
    const widest = kept
      .filter(({ column, width }) => width > leastOf(column))
      .reduce<FilledColumn<T> | null>(
        (most, one) => (most === null || one.width > most.width ? one : most),
        null,
      );
    if (widest === null) break;
    widest.width--;
  }
  return kept;
}

function leastOf<T>({ align, title, least = 8 }: Column<T>): number {
  return align === 'right' ? Number.POSITIVE_INFINITY : Math.max(title.length, least);
}

/** The text in at most `length` characters; an ellipsis marks a cut. */
export function shortened(text: string, length = Number.POSITIVE_INFINITY): string {
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`;
}

/** The least time between two writes to a terminal. */
const everyMs = 100;

const beginOfLine = '\r';
const clearToEnd = '\x1b[K';

/** A line that shows progress in a terminal. Without a terminal it writes nothing. */
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

  /** Removes the line, so that other output can follow. */
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
