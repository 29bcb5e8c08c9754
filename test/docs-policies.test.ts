// The table in docs/policies.md tells what src/policies.ts defines: `npm run docs` writes it anew.

import t from 'tap';
import { policies, policyNames, policyTexts } from '../src/policies.js';
import { checkWrittenPart } from './support/written-part.js';

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
  checkWrittenPart(t, 'docs/policies.md', 'policies', table());
});

t.test('no text of a policy would break the table', async (t) => {
  for (const name of policyNames)
    t.notMatch([policyTexts[name], policies[name].allowed].join(' '), /[|\n<]/, name);
});
