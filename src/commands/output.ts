// What commands print: data on stdout, talk on stderr; tables for people, plain lines in a pipe, JSON when asked.

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

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

/** Prints a value as JSON: indented for a terminal, one line in a pipe. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));
}

export interface Column<T> {
  readonly title: string;
  cell(row: T): string;
  readonly align?: 'right';
}

/** The rows below their titles, in columns. No titles' line when there are no rows. */
export function printTable<T>(columns: ReadonlyArray<Column<T>>, rows: readonly T[]): void {
  if (rows.length === 0) return;
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    columns
      .map((column, i) => {
        const width = widths[i] ?? 0;
        return column.align === 'right' ? (row[i] ?? '').padStart(width) : (row[i] ?? '').padEnd(width);
      })
      .join('  ')
      .trimEnd();
  print(styled('bold', line(columns.map((column) => column.title))));
  for (const row of cells) print(line(row));
}
