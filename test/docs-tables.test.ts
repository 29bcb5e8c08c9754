// The tables of the documents that are generated from the code: settings, policies, reasons, checks and
// claims of layers.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { kinds } from '../src/alarms/kinds.js';
import { durationText } from '../src/base/duration.js';
import { allChecks } from '../src/doctor/checks.js';
import { policies, policyNames } from '../src/rules/policies.js';
import { reasonMeanings, reasons } from '../src/rules/reasons.js';
import { aboutSetting, settingNames, variablesOf } from '../src/site/resolve-settings.js';
import { batchClaims } from './contracts/batches.js';
import { layerClaims } from './contracts/layer.js';
import { leaseClaims } from './contracts/leases.js';
import { statsClaims } from './contracts/stats.js';
import { differenceRules } from './interop/daphne-differences.js';
import { cell, isWritten, root, table } from './support/written-docs.js';

const settings = settingNames.map((name) => {
  const { text, allowed, defaultText } = aboutSetting(name);
  const variables =
    variablesOf(name)
      .map((variable) => `\`${variable}\``)
      .join(', ') || '—';
  return [`\`${name}\``, `${text} Allowed: ${cell(allowed)}.`, defaultText, variables];
});
isWritten(
  'docs/reference/configuration.md',
  'settings',
  table(['setting', 'what it decides', 'default', 'environment'], settings),
);

/** The comments at the fields of {@link Policies}. */
function policyTexts(): Map<string, string> {
  const source = readFileSync(join(root, 'src/rules/policies.ts'), 'utf8');
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
  'docs/reference/policies.md',
  'policies',
  table(['policy', 'what it decides', 'default', 'allowed'], decided),
);

const explained = reasons.map((reason) => {
  const { means, details } = reasonMeanings[reason];
  return [`\`${reason}\``, means, details.map((example) => `*${example}*`).join('; ')];
});
isWritten(
  'docs/reference/reasons.md',
  'reasons',
  table(['reason', 'meaning', 'details, for example'], explained),
);

const checks = allChecks.map(({ id, about, advice }) => [`\`${id}\``, cell(about), cell(advice)]);
isWritten('docs/reference/checks.md', 'checks', table(['check', 'looks at', 'what to do'], checks));

const alarms = Object.entries(kinds).map(([kind, { text, holdMs }]) => [
  `\`${kind}\``,
  text,
  holdMs === 0 ? 'at once' : durationText(holdMs),
]);
isWritten('docs/guides/alarms.md', 'alarms', table(['kind', 'what is wrong', 'after'], alarms));

const rows = differenceRules.map(({ what, here, daphne, because }) => [what, here, daphne, because]);
isWritten(
  'docs/guides/server.md',
  'differences',
  table(['what', 'here', 'daphne and Channels', 'because'], rows),
);

const claims: Readonly<Record<string, readonly string[]>> = {
  'Messages, channels and groups': layerClaims,
  Batches: batchClaims,
  Leases: leaseClaims,
  'Looking into a layer': statsClaims,
};
// A name with underscores would be taken for an emphasis.
const item = (title: string) =>
  `- ${title.charAt(0).toUpperCase()}${title.slice(1).replace(/__\w+__/g, '`$&`')}.\n`;
const list = Object.entries(claims).map(([what, titles]) => `${what}:\n\n${titles.map(item).join('')}`);
isWritten('docs/explanation/channels.md', 'claims', list.join('\n'));

t.test('each claim is made once, in a line that a page shows as it is', async (t) => {
  const titles = Object.values(claims).flat();
  t.equal(new Set(titles).size, titles.length);
  for (const title of titles) t.notMatch(title, /[\n<>*`#]/, title);
});
