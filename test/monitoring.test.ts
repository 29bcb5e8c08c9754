// The dashboard and the alert rules name only metrics and labels that exist, and the reference names all.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createMetrics, isSiteWide } from '../src/metrics/metrics.js';
import { cell, isWritten, root, table } from './support/written-docs.js';

const metrics = Object.values(createMetrics()).map(({ definition }) => definition);

isWritten(
  'docs/reference/metrics.md',
  'metrics',
  table(
    ['metric', 'type', 'labels', 'what it is', 'about'],
    metrics.map((definition) => {
      const { name, type, labels, help } = definition;
      const about = isSiteWide(definition) ? 'the site' : 'the process';
      const shown = labels.map((label) => `\`${label}\``).join(', ') || '—';
      return [`\`${name}\``, type, shown, cell(help.replace(/ Every worker .*$/, '')), about];
    }),
  ),
);

/** The metrics of a query, each with what it may have at its end. */
const series = new Map<string, readonly string[]>(
  metrics.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end) => [name + end, [...labels, 'le']] as const)
      : [[name, labels] as const],
  ),
);

function problemsOf(expression: string): string[] {
  const names = expression.match(/\b(?:linod|process|nodejs)_[a-z_]+/g) ?? [];
  const labels = [...expression.matchAll(/\bby \(([^)]*)\)|(\w+)=~?"/g)]
    .flatMap(([, grouped, compared]) => (grouped ?? compared ?? '').split(/,\s*/))
    .filter((label) => label !== '');
  const known = new Set(['instance', 'job', ...names.flatMap((name) => series.get(name) ?? [])]);
  return [
    ...names.filter((name) => !series.has(name)),
    ...labels.filter((label) => !known.has(label)).map((label) => `label ${label}`),
    ...(names.length === 0 ? ['no metric'] : []),
  ];
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(root, 'examples/monitoring', file), 'utf8'));
}

/** All texts under a key, at whatever depth. */
function textsAt(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === key && typeof inner === 'string' ? [inner] : textsAt(key, inner),
  );
}

for (const [file, least] of [
  ['alerts.json', 10],
  ['dashboard.json', 20],
] as const) {
  t.test(`${file} asks only for what there is`, async (t) => {
    const expressions = textsAt('expr', read(file));
    t.ok(expressions.length >= least);
    for (const expression of expressions) t.same(problemsOf(expression), [], expression);
  });
}

t.test('an alert says what is wrong, and one name stands for one alert', async (t) => {
  const names = textsAt('alert', read('alerts.json'));
  t.equal(new Set(names).size, names.length);
  t.equal(textsAt('summary', read('alerts.json')).length, names.length);
});

t.test('a wrong name or label is found', async (t) => {
  t.same(problemsOf('sum by (rule) (linod_no_such_total)'), ['linod_no_such_total', 'label rule']);
  t.same(problemsOf('up'), ['no metric']);
});
