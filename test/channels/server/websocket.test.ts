import { once } from 'node:events';
import { request } from 'node:http';
import t from 'tap';
import {
  type Application,
  ChannelsError,
  type Message,
  NoRouteError,
  type Receive,
  type Send,
  type WebsocketDisconnect,
  type WebsocketReceive,
  type WebsocketScope,
} from '../../../channels/index.js';
import { RawClient, SocketClient, startServer } from '../../support/protocol-server.js';
import { until, untilStill } from '../../support/until.js';

const accept = { type: 'websocket.accept' } as const;
const text = (content: string) => ({ type: 'websocket.send', text: content }) as const;

/** Accepts, then echoes until the client leaves; the code and reason are put into `ends`. */
function echo(ends: WebsocketDisconnect[] = []): Application {
  return async (_scope, receive, send) => {
    await receive();
    await send(accept);
    for (;;) {
      const message = await receive();
      if (message.type === 'websocket.disconnect') {
        ends.push(message as WebsocketDisconnect);
        return;
      }
      const { text, bytes } = message as WebsocketReceive;
      await send({ type: 'websocket.send', text, bytes } as Message);
    }
  };
}

/** Runs these steps on a connection that has received its `websocket.connect`. */
function steps(run: (send: Send, receive: Receive, scope: WebsocketScope) => Promise<void>): Application {
  return async (scope, receive, send) => {
    await receive();
    await run(send, receive, scope as WebsocketScope);
  };
}

t.test('text and bytes go to the application and back', async (t) => {
  const ends: WebsocketDisconnect[] = [];
  const { wsUrl, events, server } = await startServer(t, echo(ends));
  const client = await SocketClient.open(t, `${wsUrl}/chat/?x=1`);
  client.wire.send('tere õhtust');
  client.wire.send(Buffer.from([0, 255]));
  client.wire.send('');
  t.same(await client.hasMessages(3), ['tere õhtust', Buffer.from([0, 255]), '']);
  t.match(server.sockets(), [{ client: '127.0.0.1', path: '/chat/', sent: 3, received: 3, dropped: 0 }]);
  client.wire.close(4001, 'enough');
  await until('the application was told', () => ends.length === 1);
  t.match(ends, [{ code: 4001, reason: 'enough' }]);
  await until('the end is reported', () => events.length === 2);
  t.match(events, [{ type: 'socketOpened' }, { type: 'socketClosed', code: 4001, reason: 'enough' }]);
  t.same(server.sockets(), []);
});

t.test('the code is 1005 when the client gives none, and 1006 when it vanishes', async (t) => {
  const ends: WebsocketDisconnect[] = [];
  const { wsUrl } = await startServer(t, echo(ends));
  (await SocketClient.open(t, wsUrl)).wire.close();
  await until('the application was told', () => ends.length === 1);
  (await SocketClient.open(t, wsUrl)).wire.terminate();
  await until('the application was told', () => ends.length === 2);
  t.same(
    ends.map(({ code }) => code),
    [1005, 1006],
  );
});

t.test('accept names a subprotocol and headers', async (t) => {
  const { wsUrl } = await startServer(
    t,
    steps(async (send, receive, scope) => {
      t.same(scope.subprotocols, ['v1', 'v2']);
      t.equal(scope.scheme, 'ws');
      await send({
        type: 'websocket.accept',
        subprotocol: 'v2',
        headers: [['x-room', 'kitchen']],
      } as Message);
      await receive();
    }),
  );
  const client = await SocketClient.open(t, wsUrl, ['v1', 'v2']);
  t.equal(client.wire.protocol, 'v2');
  t.equal(client.headers['x-room'], 'kitchen');
});

t.test('close has a code and a reason; nothing can be sent after it', async (t) => {
  const seen: unknown[] = [];
  const { wsUrl } = await startServer(
    t,
    steps(async (send, receive) => {
      await send(accept);
      await send(text('last'));
      await send({ type: 'websocket.close', code: 4002, reason: 'over' } as Message);
      await send(text('more')).catch((error: ChannelsError) => seen.push(error.code));
      seen.push((await receive()).type);
    }),
  );
  const client = await SocketClient.open(t, wsUrl);
  t.same(await client.isClosed(), { code: 4002, reason: 'over' });
  t.same(client.messages, ['last']);
  await until('the application ended', () => seen.length === 2);
  t.same(seen, ['CHANNELS_ERR_CLIENT_GONE', 'websocket.disconnect']);
});

t.test('a handshake is denied: with close 403, or with a response of the application', async (t) => {
  const ends: string[] = [];
  const { wsUrl, events } = await startServer(t, async (scope, receive, send) => {
    await receive();
    if (scope.path === '/closed') {
      await send({ type: 'websocket.close' });
    } else {
      await send({
        type: 'websocket.http.response.start',
        status: 401,
        headers: [['www-authenticate', 'Basic']],
      } as Message);
      await send({
        type: 'websocket.http.response.body',
        body: Buffer.from('log '),
        more_body: true,
      } as Message);
      await send({ type: 'websocket.http.response.body', body: Buffer.from('in') } as Message);
    }
    ends.push((await receive()).type);
  });
  t.equal(await new SocketClient(t, `${wsUrl}/closed`).isDenied(), 403);
  const client = new SocketClient(t, `${wsUrl}/login`);
  t.equal(await client.isDenied(), 401);
  t.equal(client.headers['www-authenticate'], 'Basic');
  t.equal(client.body, 'log in');
  await until('both applications were told', () => ends.length === 2);
  t.same(ends, ['websocket.disconnect', 'websocket.disconnect']);
  await until('both are reported', () => events.length === 2);
  t.match(events, [
    { type: 'request', status: 403 },
    { type: 'request', status: 401 },
  ]);
});

t.test(
  'an application that fails closes with 1011, before the accept with 500, without a route 404',
  async (t) => {
    const { wsUrl, events } = await startServer(t, async (scope, receive, send) => {
      if (scope.path === '/nowhere') throw new NoRouteError('no route');
      await receive();
      if (scope.path === '/late') await send(accept);
      if (scope.path !== '/silent') throw new Error('lost its way');
    });
    const client = await SocketClient.open(t, `${wsUrl}/late`);
    t.equal((await client.isClosed()).code, 1011);
    t.equal(await new SocketClient(t, `${wsUrl}/early`).isDenied(), 500);
    t.equal(await new SocketClient(t, `${wsUrl}/silent`).isDenied(), 500);
    t.equal(await new SocketClient(t, `${wsUrl}/nowhere`).isDenied(), 404);
    t.match(
      events.filter(({ type }) => type === 'applicationFailed'),
      [{ path: '/late' }, { path: '/early' }],
    );
  },
);

t.test('what the protocol does not allow is refused with its reason', async (t) => {
  const problems: string[] = [];
  const { wsUrl } = await startServer(
    t,
    steps(async (send, receive) => {
      const refused = async (message: Message) => {
        await send(message).catch((error: unknown) => {
          t.ok(error instanceof ChannelsError && error.code === 'CHANNELS_ERR_PROTOCOL', String(error));
          problems.push(String(error));
        });
      };
      await refused(text('too early'));
      await refused({ type: 'websocket.accept', subprotocol: 'v9' } as Message);
      await send(accept);
      await refused(accept);
      await refused({ type: 'websocket.send' });
      await refused({ type: 'websocket.send', text: 'a', bytes: Buffer.from('b') } as Message);
      await refused({ type: 'websocket.close', code: 5 } as Message);
      await refused({ type: 'websocket.close', reason: 'x'.repeat(124) } as Message);
      await send(text('done'));
      await receive();
    }),
  );
  const client = await SocketClient.open(t, wsUrl);
  t.same(await client.hasMessages(1), ['done']);
  t.equal(problems.length, 7);
});

t.test('what a client sends before it is accepted is received, and that it left, too', async (t) => {
  let proceed: (() => void) | undefined;
  const received: Message[] = [];
  const { port } = await startServer(
    t,
    steps(async (send, receive, { path }) => {
      if (path === '/waits')
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
      if (path === '/waits') await send(accept);
      received.push(await receive());
    }),
  );
  const head = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const client = await RawClient.connect(t, port);
  // A masked text frame with "Hello", from RFC 6455, section 5.7.
  client.write(`${head('/waits')}\x81\x85\x37\xfa\x21\x3d`);
  client.write('\x7f\x9f\x4d\x51\x58');
  await until('the application waits', () => proceed !== undefined);
  proceed?.();
  await until('the message was received', () => received.length === 1);
  t.match(received, [{ type: 'websocket.receive', text: 'Hello' }]);
  t.match(client.received, /s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
  const leaving = await RawClient.connect(t, port);
  leaving.write(head('/leaves'));
  leaving.socket.end();
  await until('the application was told', () => received.length === 2);
  t.match(received[1], { type: 'websocket.disconnect', code: 1006 });
});

t.test('a handshake that is none is refused', async (t) => {
  const { port } = await startServer(t, echo());
  const base = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const statusWith = async (headers: Record<string, string>) => {
    const sent = request({ port, headers: { ...base, ...headers } }).end();
    t.teardown(() => sent.destroy());
    const [response] = await Promise.race([once(sent, 'response'), once(sent, 'upgrade')]);
    response.destroy();
    return response.statusCode;
  };
  t.equal(await statusWith({}), 101);
  t.equal(await statusWith({ 'Sec-WebSocket-Key': 'short' }), 400);
  t.equal(await statusWith({ 'Sec-WebSocket-Version': '8' }), 426);
  t.equal(await statusWith({ 'Sec-WebSocket-Protocol': 'a, a' }), 400);
  t.equal(await statusWith({ 'Sec-WebSocket-Protocol': 'a,,b' }), 400);
});

t.test('send waits for a client that does not read, and for no other', async (t) => {
  let sent = 0;
  const { wsUrl, server } = await startServer(
    t,
    steps(async (send, receive, { path }) => {
      await send(accept);
      if (path === '/stalled') for (;;) sent += await send(text('x'.repeat(50_000))).then(() => 1);
      await send(text('hello'));
      await receive();
    }),
  );
  const stalled = await SocketClient.open(t, `${wsUrl}/stalled`);
  stalled.wire.pause();
  await untilStill('nothing more is taken', () => sent);
  const [report] = server.sockets();
  t.ok(report !== undefined && report.queuedBytes < 200_000, `${report?.queuedBytes} bytes are queued`);
  t.same(await (await SocketClient.open(t, wsUrl)).hasMessages(1), ['hello']);
});

t.test('a client waits for an application that does not receive', async (t) => {
  let proceed: (() => void) | undefined;
  let received = 0;
  const { wsUrl } = await startServer(
    t,
    steps(async (send, receive) => {
      await send(accept);
      await new Promise<void>((resolve) => {
        proceed = resolve;
      });
      for (; (await receive()).type === 'websocket.receive'; ) received++;
    }),
    { limits: { maxMessagesPerSecond: 1e9 } },
  );
  const client = await SocketClient.open(t, wsUrl);
  for (let i = 0; i < 500; i++) client.wire.send('x'.repeat(50_000));
  await untilStill('the client cannot send on', () => client.wire.bufferedAmount);
  const { bufferedAmount } = client.wire;
  t.ok(bufferedAmount > 10_000_000, `${bufferedAmount} bytes wait at the client`);
  proceed?.();
  await until('all was received', () => received === 500);
});

t.test('a socket can be listed and closed', async (t) => {
  const { wsUrl, server } = await startServer(t, echo());
  const client = await SocketClient.open(t, wsUrl);
  const [report] = server.sockets();
  t.equal(server.closeSocket('nobody'), false);
  t.equal(server.closeSocket(report?.id ?? '', 4003, 'by the operator'), true);
  t.same(await client.isClosed(), { code: 4003, reason: 'by the operator' });
});
