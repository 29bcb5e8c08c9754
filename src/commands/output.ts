// What commands print: data on stdout, talk on stderr; tables for people, plain lines in a pipe, JSON when asked.

import { styleText } from 'node:util';

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

/** Prints a value as JSON: indented for a terminal, one line in a pipe. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));
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
