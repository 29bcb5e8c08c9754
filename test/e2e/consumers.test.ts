// A consumer with a lease: at least once, whatever happens to workers and handlers.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

/** Notes in files what it begins and what it has handled; files also tell it to hang or to fail. */
const configWith = (settings: object) => `import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

async function application(_scope, receive) {
  for (;;) {
    const { order } = await receive();
    appendFileSync('begun', order + ' ');
    while (existsSync('hang')) await setTimeout(20);
    if (order === 13 && existsSync('broken')) throw new Error('unlucky');
    appendFileSync('handled', order + ' ');
  }
}

export default { ...${JSON.stringify(settings)}, consumers: { orders: { application, lease: '1s' } } };
`;

onBothLayers(
  'a message is handled although its worker was killed, and one that always fails is dead until it is redriven',
  async (t, { config }) => {
    const site = new LiveSite(t, config);
    const settings = { name: 'test', timezone: 'UTC', shippedProcedures: false, ...config };
    site.write({ 'linod.config.ts': configWith(settings), hang: '', broken: '' });
    const noted = (file: string, order: number) =>
      existsSync(site.path(file)) && readFileSync(site.path(file), 'utf8').split(' ').includes(String(order));
    const send = (order: number) =>
      site.linod('channels', 'send', 'orders', JSON.stringify({ type: 'order.paid', order }));

    const first = await site.startWorker('orders');
    await send(1);
    await eventually('it is begun', () => noted('begun', 1));
    first.kill('SIGKILL');
    await first.ended();
    t.notOk(noted('handled', 1));

    rmSync(site.path('hang'));
    await site.startWorker('orders');
    t.match(await site.initiate(), { code: 0 });
    await eventually('it is handled by another worker', () => noted('handled', 1));

    await send(13);
    await send(2);
    await site.logged(/a message on orders was handed out too often and is dead now/);
    t.ok(noted('handled', 2), 'the others went on meanwhile');
    const { channels } = JSON.parse(await site.linod('channels', '--json'));
    t.match(
      channels.filter(({ channel }: { channel: string }) => channel === 'orders'),
      [{ depth: 0, onLease: 0, dead: 1 }],
    );
    const [letter] = JSON.parse(await site.linod('channels', 'dead', '--json'));
    t.match(letter, { channel: 'orders', deliveries: 5, message: { type: 'order.paid', order: 13 } });
    t.match(await site.linod('channels', 'dead', 'orders'), / \{.*"order":13.*\}\n$/);
    t.match(await site.run('linod', 'channels', 'redrive', 'orders', 'nosuch'), {
      code: 1,
      stdout: '0 redriven to orders, 1 still dead\n',
    });

    rmSync(site.path('broken'));
    t.equal(
      await site.linod('channels', 'redrive', 'orders', letter.id),
      '1 redriven to orders, 0 still dead\n',
    );
    await eventually('it is handled after all', () => noted('handled', 13));
    t.match(await site.run('linod', 'channels', 'dead', 'orders'), {
      code: 0,
      stdout: '',
      stderr: 'no dead letters of orders\n',
    });
  },
);
