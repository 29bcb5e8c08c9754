// Parts of documents that are generated from the code. `npm run docs` writes them; every other run compares them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

export const root = join(import.meta.dirname, '../..');

/** Claims that the text between a page's marks of this name is what the code says. */
export function isWritten(page: string, name: string, text: string): void {
  t.test(`${page} has the ${name} as they are defined; else run \`npm run docs\``, async (t) => {
    const path = join(root, page);
    const begin = `<!-- ${name}: written by \`npm run docs\` -->\n\n`;
    const end = `\n<!-- end of ${name} -->\n`;
    const before = readFileSync(path, 'utf8');
    const from = before.indexOf(begin);
    const to = before.indexOf(end);
    t.ok(from >= 0 && to >= from, 'the page has both marks');
    const wanted = before.slice(0, from + begin.length) + text + before.slice(to);
    if (process.env.LINOD_WRITE_DOCS === '1') writeFileSync(path, wanted);
    t.equal(readFileSync(path, 'utf8'), wanted);
  });
}

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly string[][]): string {
  const breaking = rows.flat().filter((text) => /[|\n<]/.test(text.replace(/`[^`|\n]*`/g, '')));
  t.same(breaking, [], 'nothing breaks the table');
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** Text of the code as it may stand in a cell of a table. */
export function cell(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('|', '&#124;').replace(/\s+/g, ' ').trim();
}
