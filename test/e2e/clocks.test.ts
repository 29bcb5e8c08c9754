// Machines whose clocks differ by more than a message lives.

import { hostname } from 'node:os';
import t from 'tap';
import { faults, LiveSite } from '../support/live-site.js';
import { Program } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

/** Has the clock of a process differ, from its first line on. */
function clockOff(ms: number): string {
  const source = `const now = Date.now; Date.now = () => now() + ${ms};`;
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

/** What a process says whose clock is so. */
function warningThat(said: string): RegExp {
  return new RegExp(`the clock of ${hostname()} is ${said} that of Redis at `);
}

const cases = [
  { aheadMs: -90_000, said: '90 s behind', layer: {} },
  { aheadMs: 3_600_000, said: '3600 s ahead of', layer: { layerKeys: ['a key', 'another'] } },
];

for (const { aheadMs, said, layer } of cases) {
  t.test(
    `what is logged where the clock is ${said} Redis is written at once, and the clock is told`,
    async (t) => {
      const server = await RedisServer.start(t);
      const site = new LiveSite(t, { channelLayer: server.url, ...layer });
      const worker = await site.startWorker('--initiate');
      const application = Program.start(t, site.path('application.mjs'), ['web', '300', '20'], {
        nodeArgs: [clockOff(aheadMs)],
      });
      await site.logged(/^record 300$/);
      t.match(await application.ended(), { code: 0 });
      const told = await site.logged(warningThat(said));
      t.equal(told.sender, `web[${application.pid}]`);
      worker.kill('SIGTERM');
      t.match(await worker.ended(), { code: 0 });
      const own = (await site.records()).filter(({ sender }) => sender === told.sender);
      t.same(
        own.map(({ text }) => text).filter((text) => text !== told.text),
        Array.from({ length: 300 }, (_, i) => `record ${i + 1}`),
      );
    },
  );

  t.test(`a worker whose clock is ${said} Redis answers and writes`, async (t) => {
    const server = await RedisServer.start(t);
    const site = new LiveSite(t, { channelLayer: server.url, ...layer });
    site.environment = { NODE_OPTIONS: clockOff(aheadMs) };
    const worker = await site.startWorker();
    site.environment = {};
    await worker.printed(warningThat(said));
    t.match(await site.initiate(), { code: 0 });
    const application = site.startApplication('web', { count: 300 });
    await site.untilRecords(application, 'web', 300);
    t.match(await application.ended(), { code: 0 });
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    t.same(faults(await site.records(), `web[${application.pid}]`, 300), []);
  });
}
