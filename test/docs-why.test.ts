// The table of reasons in docs/why.md is what src/tasks/reasons.ts says: `npm run docs` writes it anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { reasonMeanings, reasons } from '../src/tasks/reasons.js';

const path = join(import.meta.dirname, '..', 'docs', 'why.md');
const begin = '<!-- reasons: written by `npm run docs` -->\n\n';
const end = '\n<!-- end of reasons -->\n';

function table(): string {
  const rows = reasons.map((reason) => {
    const { means, told } = reasonMeanings[reason];
    return [`\`${reason}\``, means, told.map((example) => `*${example}*`).join('; ')];
  });
  const head = ['reason', 'what it means', 'what is told with it, for example'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

t.test('docs/why.md lists every reason as it is defined; else run `npm run docs`', async (t) => {
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  t.ok(from >= 0 && to >= from, 'the page has both markers');
  const wanted = page.slice(0, from + begin.length) + table() + page.slice(to);
  if (process.env.LINOD_WRITE_DOCS === '1') writeFileSync(path, wanted);
  t.equal(readFileSync(path, 'utf8'), wanted);
});
