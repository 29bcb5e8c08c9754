// Clients that are slow on purpose, against a server process of its own.
//
//     npm run load:server        1,000 clients that do not read, 10,000 connections that never finish a request

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { onBothLayers } from '../support/live-site.js';
import { descriptorsOf, loadSite, mebibyte, memoryOf, startServing } from '../support/load-site.js';
import { SocketClient } from '../support/protocol-server.js';
import { until } from '../support/until.js';

const isFull = process.env.SERVER_LOAD === 'full';
const stalledReaders = isFull ? 1000 : 100;
const slowConnections = isFull ? 10_000 : 300;
const limits = { maxConnections: 20_000, maxConnectionsPerAddress: 20_000 };

const numberIn = (message: string | Buffer | undefined) =>
  Number(/"n":(\d+)/.exec(String(message))?.[1] ?? -1);
const droppedIn = (message: string | Buffer) =>
  Number(/^\{"dropped":(\d+)\}$/.exec(String(message))?.[1] ?? 0);

/** Says messages of so many bytes to a group, each when all of `members` have the one before. */
async function say(
  t: Test,
  { port, count, bytes, members }: { port: number; count: number; bytes: number; members: SocketClient[] },
): Promise<void> {
  const speaker = await SocketClient.open(t, `ws://127.0.0.1:${port}/say/crowd`);
  for (let n = 0; n < count; n++) {
    speaker.wire.send(JSON.stringify({ n, key: n % 7, padding: 'x'.repeat(bytes) }));
    await until(`message ${n} came`, () => members.every(({ messages }) => numberIn(messages.at(-1)) === n));
  }
}

/** A member of the group by a bare connection, which reads nothing or throws away what it reads. */
async function member(t: Test, port: number, reads: boolean): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  t.teardown(() => socket.destroy());
  socket.write(
    'GET /crowd/dropOldest HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'readable');
  if (reads) socket.resume();
}

/** @returns how many bytes more a server process needs while a group with so many such members gets messages */
async function growth(t: Test, reads: boolean): Promise<number> {
  const site = loadSite(t, { limits, maxBytes: mebibyte });
  const { program, port } = await startServing(site);
  await Promise.all(Array.from({ length: stalledReaders }, () => member(t, port, reads)));
  const members = [];
  for (let i = 0; i < 3; i++)
    members.push(await SocketClient.open(t, `ws://127.0.0.1:${port}/crowd/${i === 0 ? 'close' : 'wait'}`));
  const before = memoryOf(program);
  let most = before;
  const count = isFull ? 640 : 200;
  for (let said = 0; said < count; said += 20) {
    for (const each of members) each.messages.length = 0;
    await say(t, { port, count: 20, bytes: 16_384, members });
    most = Math.max(most, memoryOf(program));
    for (const { messages } of members) t.equal(messages.length, 20, 'who reads gets everything');
  }
  program.kill('SIGKILL');
  await program.ended();
  return most - before;
}

t.test('a group whose members do not read costs little memory', async (t) => {
  const reading = await growth(t, true);
  const stalled = await growth(t, false);
  const sizes = [reading, stalled].map((bytes) => `${Math.round(bytes / mebibyte)} MiB`);
  t.comment(`${stalledReaders} members that read: ${sizes[0]}; that do not: ${sizes[1]}`);
  t.ok(stalled - reading < 100 * mebibyte);
});

onBothLayers('linod sockets counts what each slow client misses', async (t, layer) => {
  const site = loadSite(t, { layer });
  const { port } = await startServing(site);
  const policies = ['close', 'dropOldest', 'latestBy', 'wait'];
  const open = (policy: string) => SocketClient.open(t, `ws://127.0.0.1:${port}/crowd/${policy}`);
  const [quick, ...slow] = await Promise.all(['close', ...policies].map(open));
  if (quick === undefined) throw new Error('unreachable: it is open');
  for (const { wire } of slow) wire.pause();
  const count = 200;
  await say(t, { port, count, bytes: 40_000, members: [quick] });
  t.equal(quick.messages.length, count, 'the other client got all');
  const listed: Array<{ path: string; dropped: number; sent: number }> = JSON.parse(
    await site.linod('sockets', '--json'),
  );
  for (const { wire } of slow) wire.resume();
  for (const [i, policy] of policies.entries()) {
    const client = slow[i];
    const dropped = Math.max(
      ...listed.filter(({ path }) => path === `/crowd/${policy}`).map((each) => each.dropped),
    );
    if (client === undefined) throw new Error('unreachable: there is one for each');
    if (policy === 'close') {
      t.equal((await client.isClosed()).code, 1013);
      t.ok(dropped > 0 && client.messages.length < count, 'it did not get all');
      continue;
    }
    await until(`${policy}: the last came`, () =>
      client.messages.some((each) => numberIn(each) === count - 1),
    );
    const missing = count - client.messages.filter((each) => numberIn(each) >= 0).length;
    t.equal(missing, dropped, `${policy}: what is missing is what is listed`);
    t.equal(
      client.messages.reduce((sum, each) => sum + droppedIn(each), 0),
      dropped,
      `${policy}: and what was announced`,
    );
    t.equal(dropped > 0, policy !== 'wait', `${policy}: ${dropped} were dropped`);
  }
});

const slowHead = 'GET / HTTP/1.1\r\nHost: example.org\r\nX-Slow: ';
const slowBody = 'POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 100000\r\n\r\n';

t.test(
  'connections that never finish a request keep nobody else from being served, and are ended',
  async (t) => {
    const headMs = isFull ? 15_000 : 2000;
    const site = loadSite(t, { limits: { ...limits, headMs, requestMs: headMs + 1000 } });
    const { program, port } = await startServing(site);
    t.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    const before = descriptorsOf(program);
    const open = new Map<Socket, number>();
    let mostOpen = 0;
    let timedOut = 0;
    // One in three says nothing, one sends its head byte by byte, one its body.
    for (let i = 0; i < slowConnections; i++) {
      const socket = connect(port, '127.0.0.1', () => {
        open.set(socket, i);
        mostOpen = Math.max(mostOpen, open.size);
        if (i % 3 > 0) socket.write(i % 3 === 1 ? slowHead : slowBody);
      });
      socket.on('data', (data) => {
        if (/^HTTP\/1.1 408 /.test(String(data))) timedOut++;
      });
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
      t.teardown(() => socket.destroy());
      if (i % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('some are connected', () => open.size > 0);
    const timer = setInterval(() => {
      for (const [socket, i] of open) if (i % 3 > 0) socket.write('x');
    }, 200);
    t.teardown(() => clearInterval(timer));
    let served = 0;
    while (open.size > 0) {
      t.equal((await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status, 200);
      const socket = await SocketClient.open(t, `ws://127.0.0.1:${port}/say/nobody`);
      socket.wire.send('tere');
      t.same(await socket.hasMessages(1), ['tere']);
      socket.wire.terminate();
      if (open.size > 0) served++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    t.comment(`${mostOpen} at once, ${served} times served meanwhile, ${timedOut} answered with 408`);
    t.ok(served > 0);
    t.ok(timedOut > slowConnections / 2, 'most of them are told why');
    await until('their descriptors are closed', () => descriptorsOf(program) <= before + 2);
  },
);

t.setTimeout(1_200_000);
