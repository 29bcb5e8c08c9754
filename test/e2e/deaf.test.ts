// A worker whose channel layer falls silent says so wherever a person looks.

import t from 'tap';
import { openLayer } from '../../channels/index.js';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

interface Shown {
  readonly health: { readonly listeners: ReadonlyArray<{ channel: string; state: string }> } | null;
}

async function states(site: LiveSite): Promise<string[]> {
  const [worker]: Shown[] = JSON.parse(await site.linod('workers', '--json'));
  return (worker?.health?.listeners ?? []).map(({ state }) => state);
}

t.test(
  'a worker on a Redis that stands still is told as deaf, once, and as hearing again, once',
  async (t) => {
    const server = await RedisServer.start(t);
    const site = new LiveSite(t, { channelLayer: server.url });
    const worker = await site.startWorker('--initiate');
    await eventually(
      'all of its three listeners wait',
      async () => (await states(site)).join() === 'waiting,waiting,waiting',
    );
    t.match(await site.linod('workers'), / listeners\n.* 3 waiting\n/);
    t.match(await site.run('linod', 'status'), {
      stderr: /^worker \S+ has been running for .*; its listeners: 3 waiting$/m,
    });

    server.pause();
    await eventually('all of them are deaf', async () => (await states(site)).join() === 'deaf,deaf,deaf');
    t.match(await site.linod('workers'), / linod_test deaf for \d/);
    t.match(await site.run('linod'), {
      code: 3,
      stderr:
        /^worker .*: linod_test deaf for \d.*\n(.*\n)*worker \S+ does not hear: linod_test deaf for \d/m,
    });
    worker.kill('SIGUSR2');
    await site.logged(/^status .*"channel":"linod_test","state":"deaf"/);

    // The worker looks every few seconds, after the commands have seen it.
    const channels = ['linod_test', 'linod_test.log'];
    for (const channel of channels) await site.logged(new RegExp(`^listening on ${channel} is deaf`));
    server.continue();
    await eventually(
      'they hear again',
      async () => (await states(site)).join() === 'waiting,waiting,waiting',
    );
    for (const channel of channels) await site.logged(new RegExp(`^listening on ${channel} hears again`));
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    const records = await site.records();
    for (const channel of channels) {
      const told = records.flatMap(({ text }) => {
        const [, what] = /^listening on (\S+ (?:is deaf|hears again))/.exec(text) ?? [];
        return what?.startsWith(`${channel} `) ? [what.slice(channel.length + 1)] : [];
      });
      // Where the machine was so busy that the worker itself stood still for seconds, there is more than one silence.
      t.ok(told.length >= 2, `${channel} is told as deaf and as hearing`);
      t.same(
        told,
        told.map((_, i) => (i % 2 === 0 ? 'is deaf' : 'hears again')),
        `each silence of ${channel} is told once`,
      );
    }
  },
);

onBothLayers('a worker answers worker.ping with the state of its listeners', async (t, { config }) => {
  const site = new LiveSite(t, config);
  const worker = await site.startWorker('--initiate');
  // What stands in the log was written by its one listener.
  await site.logged(/listens on linod_test/);
  const { channelLayer = `sqlite:${site.path('channels.db')}` } = config;
  const layer = await openLayer(channelLayer);
  t.teardown(() => layer.close());
  const reply = await layer.newChannel();
  await layer.send(site.channel, { type: 'worker.ping', ...{ reply_channel: reply } });
  const pong = await layer.receive(reply);
  t.match(pong, { type: 'worker.pong', tasks: 'running', logger: 'writing', worker: String });
  t.match(pong.channels, [
    { channel: 'linod_test', state: 'busy', handled: 0 },
    { channel: /^linod\./, state: 'waiting', heardMsAgo: Number, dueMs: Number },
    { channel: 'linod_test.log', state: /waiting|busy/ },
  ]);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
});
