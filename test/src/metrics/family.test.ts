// The Prometheus text format.

import t from 'tap';
import { Family } from '../../../src/metrics/family.js';
import { createMetrics, metricsText } from '../../../src/metrics/metrics.js';

t.test('a counter is a line for each set of labels, behind its help and its type', async (t) => {
  const family = new Family({ name: 'sent_total', help: 'Sent.', type: 'counter', labels: ['channel'] });
  t.equal(family.text(), '', 'nothing without values');
  family.add(2, 'mail');
  family.add(1, 'mail');
  family.add(1, 'a "b"\\\n');
  t.equal(
    family.text(),
    '# HELP sent_total Sent.\n# TYPE sent_total counter\nsent_total{channel="mail"} 3\nsent_total{channel="a \\"b\\"\\\\\\n"} 1\n',
  );
});

t.test('the buckets of a histogram count what is below them, too', async (t) => {
  const definition = { name: 'lag_seconds', help: 'Lag.', type: 'histogram', labels: ['of'] } as const;
  const family = new Family({ ...definition, buckets: [1, 10] });
  for (const value of [0.5, 1, 7, 100]) family.observe(value, 'x');
  t.same(family.text().split('\n').slice(2), [
    'lag_seconds_bucket{of="x",le="1"} 2',
    'lag_seconds_bucket{of="x",le="10"} 3',
    'lag_seconds_bucket{of="x",le="+Inf"} 4',
    'lag_seconds_sum{of="x"} 108.5',
    'lag_seconds_count{of="x"} 4',
    '',
  ]);
});

t.test(
  'a gauge keeps the higher value of two rules with one name, and forgets what is cleared',
  async (t) => {
    const family = new Family({ name: 'due', help: 'Due.', type: 'gauge', labels: ['rule'] });
    family.set(7, 'mail');
    family.set(3, 'mail');
    t.match(family.text(), /due\{rule="mail"\} 7\n$/);
    family.clear();
    family.set(3, 'mail');
    t.match(family.text(), /due\{rule="mail"\} 3\n$/);
  },
);

t.test('what has more labels than there is room for shares one series', async (t) => {
  const definition = { name: 'n_total', help: 'N.', type: 'counter', labels: ['rule', 'status'] } as const;
  const family = new Family(definition);
  for (let i = 0; i < 5000; i++) family.add(1, `rule${i}`, i % 2 === 0 ? 'done' : 'failed');
  const lines = family.text().trimEnd().split('\n');
  t.equal(lines.length, 2 + 2002);
  t.same(lines.slice(-2), [
    'n_total{rule="other",status="done"} 1500',
    'n_total{rule="other",status="failed"} 1500',
  ]);
});

t.test('names have base units, and counters end with _total', async (t) => {
  const metrics = Object.values(createMetrics());
  for (const { definition } of metrics) {
    const { name, type, help, labels } = definition;
    t.match(name, /^(linod|process|nodejs)(_[a-z]+)+$/);
    t.equal(name.endsWith('_total'), type === 'counter', name);
    t.notMatch(name, /_(ms|milliseconds|kb|mb|percent)\b/);
    if (type === 'histogram') t.match(name, /_seconds$/);
    t.notMatch(help, /[\\\n]/);
    for (const label of labels) t.notMatch(label, /(^|_)id$|^le$/);
  }
  t.equal(new Set(metrics.map(({ definition }) => definition.name)).size, metrics.length);
  t.equal(metricsText(createMetrics()), '');
});
