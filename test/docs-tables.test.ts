// The parts of pages that are written from the code: `npm run docs` writes them anew, and every other run compares.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { policies, policyNames } from '../src/policies.js';
import { aboutSetting, settingNames, variablesOf } from '../src/site/resolve-settings.js';
import { reasonMeanings, reasons } from '../src/tasks/reasons.js';
import { batchClaims } from './contracts/batches.js';
import { layerClaims } from './contracts/layer.js';
import { leaseClaims } from './contracts/leases.js';
import { statsClaims } from './contracts/stats.js';

const root = join(import.meta.dirname, '..');

/** Claims that what stands between a page's marks of this name is the text. */
function isWritten(page: string, name: string, text: string): void {
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

function table(head: readonly string[], rows: readonly string[][]): string {
  for (const cell of rows.flat()) t.notMatch(cell, /[|\n<]/, 'nothing breaks the table');
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

const settings = settingNames.map((name) => {
  const { text, allowed, defaultText } = aboutSetting(name);
  const variables =
    variablesOf(name)
      .map((variable) => `\`${variable}\``)
      .join(', ') || '—';
  // A page would take `<void>` for an element of its own.
  return [`\`${name}\``, `${text} Allowed: ${allowed.replaceAll('<', '&lt;')}.`, defaultText, variables];
});
isWritten(
  'docs/configuration.md',
  'settings',
  table(['setting', 'what it decides', 'default', 'environment'], settings),
);

/** The comments at the fields of {@link Policies}. */
function policyTexts(): Map<string, string> {
  const source = readFileSync(join(root, 'src/policies.ts'), 'utf8');
  const fields = source.matchAll(/ {2}\/\*\*((?:(?!\*\/).)*)\*\/\n {2}readonly (\w+):/gs);
  const oneLine = (comment: string) =>
    comment
      .replace(/\n {3}\*/g, '')
      .replace(/\s+/g, ' ')
      .trim();
  return new Map(Array.from(fields, ([, comment = '', name = '']) => [name, oneLine(comment)]));
}

const texts = policyTexts();
for (const name of policyNames) t.ok(texts.has(name), `${name} has a comment`);
const decided = policyNames.map((name) => {
  const { allowed, default: standard } = policies[name];
  const defaultText = standard === '' || Array.isArray(standard) ? 'none' : `\`${standard}\``;
  return [`\`${name}\``, texts.get(name) ?? '', defaultText, allowed];
});
isWritten(
  'docs/policies.md',
  'policies',
  table(['policy', 'what it decides', 'default', 'allowed'], decided),
);

const explained = reasons.map((reason) => {
  const { means, told } = reasonMeanings[reason];
  return [`\`${reason}\``, means, told.map((example) => `*${example}*`).join('; ')];
});
isWritten(
  'docs/why.md',
  'reasons',
  table(['reason', 'what it means', 'what is told with it, for example'], explained),
);

const claims: Readonly<Record<string, readonly string[]>> = {
  'Messages, channels and groups': layerClaims,
  Batches: batchClaims,
  Leases: leaseClaims,
  'Looking into a layer': statsClaims,
};
// A name with underscores would be taken for an emphasis.
const item = (title: string) => `- ${title.replace(/__\w+__/g, '`$&`')}\n`;
const list = Object.entries(claims).map(([what, titles]) => `${what}:\n\n${titles.map(item).join('')}`);
isWritten('docs/channels.md', 'claims', list.join('\n'));

t.test('each claim is made once, in a line that a page shows as it is', async (t) => {
  const titles = Object.values(claims).flat();
  t.equal(new Set(titles).size, titles.length);
  for (const title of titles) t.notMatch(title, /[\n<>*`#]/, title);
});
