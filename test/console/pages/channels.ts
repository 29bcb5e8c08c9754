// Channels, groups and WebSockets in the console.

import t from 'tap';
import type { ErrorBody, OverviewView, SocketsView } from '../../../src/console/api.js';
import { loadSite } from '../../../src/site/site.js';
import { allAccessFaults } from '../../support/console.js';
import { ConsoleServer } from '../../support/console-server.js';
import { eventually } from '../../support/programs.js';
import { SocketClient } from '../../support/protocol-server.js';
import { RedisServer } from '../../support/redis.js';
import { site } from './site.js';

const script = '<script>globalThis.ran=1</script><img src=x onerror=globalThis.ran=1>';

t.test('channels show what waits, messages stay inert, and dead letters are put back', async (t) => {
  const layer = await (await loadSite(site.site.directory)).openLayer({ maxDeliveries: 1 });
  t.teardown(() => layer.close());
  await layer.send('orders', { type: 'order.paid', text: script });
  await layer.send('broken', { type: 'order.failed', text: script });
  const leased = await layer.receive('broken', { lease: 60_000 });
  await leased.release();
  await eventually('it is dead', async () => {
    await layer.receiveMany('broken', { lease: 60_000, waitMs: 0 });
    return (await layer.deadLetters('broken')).length === 1;
  });
  await layer.groupAdd('garden', 'orders');

  const viewer = await site.as('viewer', 'channels');
  const row = (name: string) => viewer.getByRole('row', { name: new RegExp(`^${name} `) });
  t.match(await row('orders').textContent(), /orders1 of 100/);
  t.match(await row('linod_test').textContent(), /1 waiting/, 'a worker listens on it');
  await row('orders').getByText('0/s').waitFor();
  await row('orders').getByRole('button', { name: 'Peek' }).click();
  await viewer.getByRole('dialog').getByText(script).waitFor();
  t.equal(await viewer.evaluate('globalThis.ran'), undefined, 'no script ran');
  t.match(viewer.url(), /\?channel=orders$/);
  t.same(await allAccessFaults(viewer, 'dialog'), []);
  await viewer.goto(`${site.url}channels?channel=broken&show=dead`);
  await viewer.getByRole('dialog').getByText(script).waitFor();
  await viewer.getByText(/handed out 1 times and never acknowledged/).waitFor();
  t.equal(await viewer.getByRole('button', { name: /Redrive/ }).count(), 0, 'a viewer changes nothing');
  await viewer.goto(`${site.url}channels?tab=groups&text=garden`);
  await viewer.getByRole('row', { name: /garden orders/ }).waitFor();

  const operator = await site.as('operator', 'channels?channel=broken&show=dead');
  await operator.getByRole('button', { name: 'Redrive all' }).click();
  await operator.getByRole('dialog', { name: 'Redrive' }).getByRole('button', { name: 'Redrive' }).click();
  await operator.getByText('1 message put back on broken.').waitFor();
  t.match(await layer.stats(), { channels: [{ channel: 'broken', depth: 1, dead: 0 }] });
});

t.test('WebSockets of all servers are listed and closed, and a silent server is named', async (t) => {
  const server = site.site.start('linod', 'serve', '--http', '127.0.0.1:0');
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(await server.printed(/serving site/)) ?? [];
  const socket = await SocketClient.open(t, `ws://127.0.0.1:${port}/room`);
  const viewer = await site.as('viewer', 'sockets?text=room');
  await viewer.getByRole('row', { name: /\/room/ }).waitFor();
  t.same(await allAccessFaults(viewer), []);
  t.equal(await viewer.getByRole('button', { name: /^Close/ }).count(), 0);

  const operator = await site.as('operator', 'sockets');
  await operator.getByRole('row', { name: /\/room/ }).waitFor();
  t.equal(await operator.getByRole('button', { name: /^Close/ }).count(), 0);

  const admin = await site.as('admin', 'sockets');
  await admin.getByRole('button', { name: /^Close/ }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Close it' }).click();
  await eventually('it is closed', () => socket.closed?.code === 1001);
  await admin.getByText('No such WebSocket is open.').waitFor();
  const answer = await admin.request.get(`${site.url}api/sockets`);
  t.same((await answer.json()) as SocketsView, { sockets: [], silent: [] });

  server.kill('SIGSTOP');
  await admin.getByText(new RegExp(`process ${server.pid} did not answer`)).waitFor();
  server.kill('SIGCONT');
});

t.test('while Redis is away, channels say so, the overview has it, and no log fills with it', async (t) => {
  const redis = await RedisServer.start(t);
  const server = await ConsoleServer.start(t, { channelLayer: redis.url });
  const viewer = await server.signedIn('viewer');
  t.equal((await viewer.get('api/channels')).status, 200);
  await redis.stop();
  const answer = await viewer.get('api/channels');
  t.equal(answer.status, 503);
  t.match(answer.json<ErrorBody>().error, {
    code: 'CHANNELS_ERR_LAYER_UNAVAILABLE',
    message: /cannot be reached/,
  });
  const { problems } = (await viewer.get('api/overview')).json<OverviewView>();
  t.match(problems[0], { code: 'layer', link: '/channels' });
  t.equal((await viewer.get('api/rules')).status, 200);
  t.notMatch(server.records.join('\n'), /ERROR/);
});
