// The time zone of a site is one for all of its processes, whatever TZ each of them has.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ hour: 3 }, function water_plants() {});
`,
};

function next(timezone: string): RegExp {
  return new RegExp(`next run at: \\S+T03:00:00${timezone}\n$`);
}

t.test('a site without a time zone uses UTC in every process, and its status says so once', async (t) => {
  const site = new LiveSite(t, { files });
  site.write({ 'linod.config.json': '{"name":"test","shippedProcedures":false}' });
  for (const TZ of ['Asia/Tokyo', 'America/New_York', 'Mars']) {
    site.environment = { TZ };
    await site.linod('rules', 'sync');
    const { stdout, stderr } = await site.run('linod');
    t.match(stdout, next('\\+00:00'), TZ);
    const notes = stderr.split('\n').filter((line) => line.startsWith('times are UTC'));
    t.same(notes, ['times are UTC: no timezone is set in linod.config.json']);
  }
  const worker = await site.startWorker('--initiate');
  t.match(worker.lines.join('\n'), /^ {2}time zone +UTC, as no timezone is set$/m);
  await site.logged(/listens on linod_test/);
  t.match(readFileSync(site.logFile, 'utf8'), /^20\S+ \S+\+00:00 INFO linod.* worker .* listens/m);
});

t.test('linod init writes the zone of the machine, which all processes follow then', async (t) => {
  const site = new LiveSite(t);
  site.environment = { TZ: 'Asia/Tokyo' };
  await site.linod('init', 'other', '--name', 'other');
  t.match(readFileSync(site.path('other/linod.config.ts'), 'utf8'), /^ {2}timezone: 'Asia\/Tokyo',$/m);
  site.write({ 'other/procedures/garden.ts': files['procedures/garden.ts'] });
  site.environment = { TZ: 'America/New_York' };
  await site.linod('rules', 'sync', '--site', 'other');
  const { stdout, stderr } = await site.run('linod', '--site', 'other');
  t.match(stdout, /<Procedures\.water_plants .* next run at: \S+T03:00:00\+09:00$/m);
  t.notMatch(stderr, 'times are');

  site.environment = { TZ: 'Mars' };
  await site.linod('init', 'red');
  t.match(readFileSync(site.path('red/linod.config.ts'), 'utf8'), /^ {2}timezone: 'UTC',$/m);
});
