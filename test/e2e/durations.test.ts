// A duration is written in the same way in flags, settings, fields of rules and options of procedures.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';

t.test('flags, settings, rules and procedures take the same durations', async (t) => {
  const site = new LiveSite(t, {
    graceSeconds: '1m30s',
    files: {
      'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ timeoutSeconds: '1h30m', retryDelaySeconds: 5 }, function water_plants() {});
`,
    },
  });
  await site.linod('rules', 'sync');
  const rule = async (...words: string[]) => JSON.parse(await site.linod('rule', '1', ...words, '--json'));
  t.match(await rule(), { timeoutSeconds: 5400, retryDelaySeconds: 5 });
  t.match(await rule('set', 'timeoutSeconds=15m', 'jitterSeconds=30'), {
    timeoutSeconds: 900,
    jitterSeconds: 30,
  });
  site.write({
    'rules.json': JSON.stringify({
      version: 1,
      rules: [{ name: 'water_plants', procedure: 'water_plants', overrides: { timeoutSeconds: '2d' } }],
    }),
  });
  await site.linod('rules', 'apply', 'rules.json');
  t.match(await rule(), { timeoutSeconds: 172_800 });

  site.environment = { LINOD_LOG_ORDER_MS: '1s', LINOD_LOG_KEEP_DAYS: '2w' };
  await site.startWorker('--initiate', '--grace', '1m');
  for (const since of ['15m', '1h30m', '2d', '90 min'])
    for (const words of [['jobs'], ['log', 'tail'], ['why', '1']])
      await site.linod(...words, '--since', since);
  await site.linod('log', 'level', 'shop=DEBUG', '--for', '1h30m');
  await site.linod('simulate', '--to', '1d12h', '--duration', '2m');
  t.match(await site.run('initiate_linod', '--timeout', '1m'), { code: 0 });
});
