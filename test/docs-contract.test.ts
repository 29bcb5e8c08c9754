// The list in docs/channels.md is what the tests of test/contracts claim of every layer: `npm run docs` writes it anew.

import t from 'tap';
import { batchClaims } from './contracts/batches.js';
import { layerClaims } from './contracts/layer.js';
import { leaseClaims } from './contracts/leases.js';
import { statsClaims } from './contracts/stats.js';
import { checkWrittenPart } from './support/written-part.js';

const claims: Readonly<Record<string, readonly string[]>> = {
  'Messages, channels and groups': layerClaims,
  Batches: batchClaims,
  Leases: leaseClaims,
  'Looking into a layer': statsClaims,
};

/** A name with underscores would be taken for an emphasis. */
function item(title: string): string {
  return `- ${title.replace(/__\w+__/g, '`$&`')}\n`;
}

function list(): string {
  return Object.entries(claims)
    .map(([what, titles]) => `${what}:\n\n${titles.map(item).join('')}`)
    .join('\n');
}

t.test(
  'docs/channels.md lists what the contract claims of every layer; else run `npm run docs`',
  async (t) => {
    checkWrittenPart(t, 'docs/channels.md', 'claims', list());
  },
);

t.test('each claim is made once, in a line that a page shows as it is', async (t) => {
  const titles = Object.values(claims).flat();
  t.equal(new Set(titles).size, titles.length);
  for (const title of titles) t.notMatch(title, /[\n<>*`#]/, title);
});
