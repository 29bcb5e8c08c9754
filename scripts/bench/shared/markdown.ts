// Results as people read them: the same Markdown on a terminal and in a page of the documentation.

import { readFile, writeFile } from 'node:fs/promises';

/** A table whose source is one, too. `right`: the columns of numbers. */
export function markdown(
  titles: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  right: readonly number[],
): string[] {
  const widths = titles.map((title, i) =>
    Math.max(title.length, 3, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    right.includes(i) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(titles), line(rule), ...rows.map(line)];
}

/** Replaces what stands in a page between `<!-- NAME -->` and `<!-- end of NAME -->`. */
export async function writeBetweenMarks(path: string, name: string, text: string): Promise<void> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const page = await readFile(path, 'utf8');
  const [from, until] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || until < from) throw new Error(`${path} has no lines ${begin} and ${end}`);
  await writeFile(path, `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(until)}`);
}
