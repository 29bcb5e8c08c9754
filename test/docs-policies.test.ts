// The table in docs/policies.md tells what src/policies.ts defines: `npm run docs` writes it anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { policies, policyNames, policyTexts } from '../src/policies.js';

const path = join(import.meta.dirname, '..', 'docs', 'policies.md');
const begin = '<!-- policies: written by `npm run docs` -->\n\n';
const end = '\n<!-- end of policies -->\n';

function table(): string {
  const rows = policyNames.map((name) => {
    const { allowed, default: standard } = policies[name];
    const defaultText = standard === '' || Array.isArray(standard) ? 'none' : `\`${standard}\``;
    return [`\`${name}\``, policyTexts[name], defaultText, allowed];
  });
  const head = ['policy', 'what it decides', 'default', 'allowed'];
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

t.test('docs/policies.md lists every policy as it is defined; else run `npm run docs`', async (t) => {
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  t.ok(from >= 0 && to > from, 'the page has both markers');
  const wanted = page.slice(0, from + begin.length) + table() + page.slice(to);
  if (process.env.LINOD_WRITE_DOCS === '1') writeFileSync(path, wanted);
  t.equal(readFileSync(path, 'utf8'), wanted);
});

t.test('no text of a policy would break the table', async (t) => {
  for (const name of policyNames)
    t.notMatch([policyTexts[name], policies[name].allowed].join(' '), /[|\n<]/, name);
});
