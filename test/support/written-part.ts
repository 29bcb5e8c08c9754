// The parts of pages that are written from the code: `npm run docs` writes them anew, and every other run compares.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Claims that what stands between a page's marks of this name is the text. */
export function checkWrittenPart(t: Test, page: string, name: string, text: string): void {
  const path = join(import.meta.dirname, '..', '..', page);
  const begin = `<!-- ${name}: written by \`npm run docs\` -->\n\n`;
  const end = `\n<!-- end of ${name} -->\n`;
  const before = readFileSync(path, 'utf8');
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  t.ok(from >= 0 && to >= from, 'the page has both marks');
  const wanted = before.slice(0, from + begin.length) + text + before.slice(to);
  if (process.env.LINOD_WRITE_DOCS === '1') writeFileSync(path, wanted);
  t.equal(readFileSync(path, 'utf8'), wanted);
}
