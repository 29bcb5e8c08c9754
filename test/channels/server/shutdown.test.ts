import t from 'tap';
import { type Application, type Message, StopConsumer } from '../../../channels/index.js';
import { serve } from '../../../channels/server/index.js';
import { RawClient, SocketClient, startServer } from '../../support/protocol-server.js';
import { until } from '../../support/until.js';

t.test(
  'a server that stops finishes what it began, refuses what is new, and tells sockets why',
  async (t) => {
    let proceed: (() => void) | undefined;
    const ends: string[] = [];
    const { server, port, wsUrl } = await startServer(t, async (scope, receive, send) => {
      await receive();
      if (scope.type === 'websocket') {
        if (scope.path === '/waits') await new Promise(() => undefined);
        await send({ type: 'websocket.accept' });
        ends.push((await receive()).type);
        return;
      }
      await new Promise<void>((resolve) => {
        proceed = resolve;
      });
      await send({ type: 'http.response.start', status: 200 } as Message);
      await send({ type: 'http.response.body', body: Buffer.from('finished') } as Message);
    });
    const socket = await SocketClient.open(t, wsUrl);
    const waiting = new SocketClient(t, `${wsUrl}/waits`);
    const client = await RawClient.connect(t, port);
    const idle = await RawClient.connect(t, port);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the application has begun', () => proceed !== undefined);
    let isClosed = false;
    const closed = server.close({ graceMs: 500 }).then(() => {
      isClosed = true;
    });
    t.same(await socket.isClosed(), { code: 1012, reason: 'the server is restarting' });
    t.equal(await waiting.isDenied(), 503);
    await idle.closed();
    t.notOk(isClosed, 'it waits for the application');
    proceed?.();
    t.match(await client.closed(), /200 OK.*connection: close.*finished.*$/is);
    await closed;
    t.same(ends, ['websocket.disconnect']);
    const late = new SocketClient(t, wsUrl);
    await until('nobody listens', () => late.closed !== undefined);
  },
);

t.test('what does not end within the grace is broken off; a second call hurries', async (t) => {
  const { server, wsUrl, events } = await startServer(t, async (_scope, receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
    await new Promise(() => undefined);
  });
  const socket = await SocketClient.open(t, `${wsUrl}/stuck`);
  socket.wire.pause();
  const slow = server.close({ graceMs: 600_000 });
  await server.close({ graceMs: 1 });
  await slow;
  t.match(
    events.filter(({ type }) => type === 'applicationStuck'),
    [{ path: '/stuck' }],
  );
});

const lifespan =
  (log: string[], startup: Message): Application =>
  async (scope, receive, send) => {
    if (scope.type !== 'lifespan') {
      log.push(JSON.stringify(scope.state));
      await send({ type: 'http.response.start', status: 204 } as Message);
      await send({ type: 'http.response.body' });
      return;
    }
    log.push((await receive()).type);
    Object.assign(Object(scope.state), { database: 'open' });
    await send(startup);
    log.push((await receive()).type);
    await send({ type: 'lifespan.shutdown.complete' });
    throw new StopConsumer();
  };

t.test('an application is started before, and stopped after, all connections', async (t) => {
  const log: string[] = [];
  const server = await serve(lifespan(log, { type: 'lifespan.startup.complete' }), { listen: '0' });
  const client = await RawClient.connect(t, Number(/\d+$/.exec(server.addresses[0] ?? '')?.[0]));
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until(/204/);
  await server.close();
  t.same(log, ['lifespan.startup', '{"database":"open"}', 'lifespan.shutdown']);
});

t.test('an application that cannot start says why', async (t) => {
  const failed = { type: 'lifespan.startup.failed', message: 'no database' };
  await t.rejects(serve(lifespan([], failed), { listen: '0' }), {
    code: 'CHANNELS_ERR_STARTUP_FAILED',
    message: 'the application did not start: no database',
  });
});
