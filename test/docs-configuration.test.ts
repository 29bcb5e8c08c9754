// The table in docs/configuration.md tells what src/site/settings.ts defines: `npm run docs` writes it anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { settingDefinitions, settingNames } from '../src/site/settings.js';

const path = join(import.meta.dirname, '..', 'docs', 'configuration.md');
const begin = '<!-- settings: written by `npm run docs` -->\n\n';
const end = '\n<!-- end of settings -->\n';

function table(): string {
  const rows = settingNames.map((name) => {
    const { text, environment, allowed, defaultText } = settingDefinitions[name];
    const variables = environment.map((variable) => `\`${variable}\``).join(', ') || '—';
    // A page would take `<void>` for an element of its own.
    const limits = allowed.replaceAll('<', '&lt;');
    return [`\`${name}\``, `${text} Allowed: ${limits}.`, defaultText, variables];
  });
  const head = ['setting', 'what it decides', 'default', 'environment'];
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

t.test('docs/configuration.md lists every setting as it is defined; else run `npm run docs`', async (t) => {
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  t.ok(from >= 0 && to > from, 'the page has both markers');
  const wanted = page.slice(0, from + begin.length) + table() + page.slice(to);
  if (process.env.LINOD_WRITE_DOCS === '1') writeFileSync(path, wanted);
  t.equal(readFileSync(path, 'utf8'), wanted);
});

t.test('no text of a setting would break the table', async (t) => {
  for (const name of settingNames) {
    const { text, allowed, defaultText } = settingDefinitions[name];
    t.notMatch([text, allowed, defaultText].join(' '), /[|\n]/, name);
  }
});
