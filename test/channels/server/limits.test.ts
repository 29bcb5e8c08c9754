import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import type { Application, Message, WebsocketDisconnect } from '../../../channels/index.js';
import { defaultLimits } from '../../../channels/server/index.js';
import { RawClient, SocketClient, startServer, statusOf } from '../../support/protocol-server.js';
import { until } from '../../support/until.js';

/** Answers requests with a text; echoes on sockets. */
const application: Application = async (scope, receive, send) => {
  if (scope.type === 'http') {
    for (let more = true; more; ) more = Reflect.get(await receive(), 'more_body') === true;
    await send({ type: 'http.response.start', status: 200 } as Message);
    await send({ type: 'http.response.body', body: Buffer.from('hello') } as Message);
    return;
  }
  await receive();
  if (scope.path === '/undecided') await new Promise(() => undefined);
  await send({ type: 'websocket.accept' });
  for (;;) {
    const message = await receive();
    if (message.type === 'websocket.disconnect') return;
    await send({ ...message, type: 'websocket.send' });
  }
};

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const handshake =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

async function closeCode(t: Test, url: string, act: (client: SocketClient) => void): Promise<unknown> {
  const client = await SocketClient.open(t, url);
  act(client);
  return (await client.isClosed()).code;
}

t.test('a message and a frame of 1 MiB pass, a larger one closes with 1009', async (t) => {
  const { wsUrl } = await startServer(t, application);
  const { maxMessageBytes } = defaultLimits;
  t.equal(maxMessageBytes, 1024 * 1024);
  const client = await SocketClient.open(t, wsUrl);
  client.wire.send('x'.repeat(maxMessageBytes));
  t.equal((await client.hasMessages(1))[0]?.length, maxMessageBytes);
  client.wire.send('x'.repeat(maxMessageBytes + 1));
  t.equal((await client.isClosed()).code, 1009);
  const inFragments = await closeCode(t, wsUrl, ({ wire }) => {
    for (let i = 0; i < 3; i++) wire.send('x'.repeat(maxMessageBytes / 2), { fin: i === 2 });
  });
  t.equal(inFragments, 1009);
});

t.test('headers of more than 16 kB are answered with 431', async (t) => {
  const { port } = await startServer(t, application);
  const withHeader = (bytes: number) => get.replace('a\r\n\r\n', `a\r\nX: ${'y'.repeat(bytes)}\r\n\r\n`);
  t.equal(await statusOf(t, port, withHeader(16_300)), 200);
  t.equal(await statusOf(t, port, withHeader(16_400)), 431);
});

t.test('an application that does not accept in time is answered for with 503', async (t) => {
  const { wsUrl } = await startServer(t, application, { limits: { handshakeMs: 30 } });
  t.equal(await new SocketClient(t, `${wsUrl}/undecided`).isDenied(), 503);
});

t.test('a head, and a body, that does not come in time is answered with 408', async (t) => {
  const { port } = await startServer(t, application, { limits: { headMs: 100, requestMs: 200 } });
  const silent = await RawClient.connect(t, port);
  t.equal(await statusOf(t, port, 'GET / HTTP/1.1\r\nHo'), 408);
  t.equal(await statusOf(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx'), 408);
  await silent.closed();
  t.pass('one who says nothing at all is let go');
});

t.test('an idle connection is closed', async (t) => {
  const { port } = await startServer(t, application, { limits: { idleMs: 50 } });
  const client = await RawClient.connect(t, port);
  client.write(get);
  t.match(await client.closed(), /200 OK.*hello$/s);
});

t.test(
  'a socket that answers no ping is ended, one that does stays until its lifetime is over',
  async (t) => {
    const ends: number[] = [];
    const limits = { pingMs: 20, pongMs: 60, lifetimeMs: 600 };
    const { wsUrl } = await startServer(
      t,
      async (scope, receive, send) =>
        await application(
          scope,
          async () => {
            const message = await receive();
            if (message.type === 'websocket.disconnect') ends.push((message as WebsocketDisconnect).code);
            return message;
          },
          send,
        ),
      { limits },
    );
    const deaf = await SocketClient.open(t, wsUrl, [], { autoPong: false });
    const alive = await SocketClient.open(t, wsUrl);
    t.equal((await deaf.isClosed()).code, 1006);
    await until('the application was told', () => ends.length === 1);
    t.equal(alive.closed, undefined);
    t.equal((await alive.isClosed()).code, 1001);
  },
);

t.test(
  'an application that goes on after its client has left is ended, and named when it does not',
  async (t) => {
    const ended: string[] = [];
    const { wsUrl, events } = await startServer(
      t,
      async ({ path }, receive, send) => {
        await receive();
        await send({ type: 'websocket.accept' });
        await receive();
        try {
          if (path === '/stuck') await new Promise(() => undefined);
          await receive();
        } finally {
          ended.push(path ?? '');
        }
      },
      { limits: { applicationMs: 30 } },
    );
    for (const path of ['/receives', '/stuck']) (await SocketClient.open(t, wsUrl + path)).wire.close();
    await until('one is named', () => events.some(({ type }) => type === 'applicationStuck'));
    t.same(ended, ['/receives']);
    t.match(
      events.filter(({ type }) => type === 'applicationStuck'),
      [{ path: '/stuck' }],
    );
  },
);

t.test('connections are limited, in all and of one address', async (t) => {
  for (const limits of [{ maxConnections: 2 }, { maxConnectionsPerAddress: 2 }]) {
    const { port } = await startServer(t, application, { limits });
    const first = await RawClient.connect(t, port);
    const second = await RawClient.connect(t, port);
    const third = await RawClient.connect(t, port);
    t.equal(await third.closed(), '');
    t.notOk(first.isClosed || second.isClosed);
    first.socket.destroy();
    await until('there is room again', async () => {
      const client = await RawClient.connect(t, port);
      client.write(get);
      return /hello/.test(await client.until(/hello/));
    });
  }
});

t.test('through a trusted proxy the requests of one client are limited, not those of all', async (t) => {
  const options = { trustedProxies: ['127.0.0.1'], limits: { maxConnectionsPerAddress: 1 } };
  const { wsUrl } = await startServer(t, application, options);
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
  await SocketClient.open(t, wsUrl, [], from('192.0.2.1'));
  await SocketClient.open(t, wsUrl, [], from('192.0.2.2'));
  t.equal(await new SocketClient(t, wsUrl, [], from('192.0.2.2')).isDenied(), 429);
});

t.test('a socket that sends too many messages or pings in a second is closed with 1008', async (t) => {
  const { wsUrl } = await startServer(t, application, { limits: { maxMessagesPerSecond: 5 } });
  const flood = (act: (client: SocketClient) => void) => (client: SocketClient) => {
    for (let i = 0; i < 20; i++) act(client);
  };
  const calm = await SocketClient.open(t, wsUrl);
  for (let i = 0; i < 5; i++) calm.wire.send('x');
  t.equal((await calm.hasMessages(5)).length, 5);
  t.equal(calm.closed, undefined);
  t.equal(
    await closeCode(
      t,
      wsUrl,
      flood(({ wire }) => wire.send('x')),
    ),
    1008,
  );
  t.equal(
    await closeCode(
      t,
      wsUrl,
      flood(({ wire }) => wire.ping()),
    ),
    1008,
  );
});

t.test('messages are compressed only where that is asked for, and then bounded as well', async (t) => {
  const plain = await startServer(t, application);
  t.equal((await SocketClient.open(t, plain.wsUrl)).wire.extensions, '');
  const { wsUrl } = await startServer(t, application, { compression: true });
  const client = await SocketClient.open(t, wsUrl);
  t.match(client.wire.extensions, 'permessage-deflate');
  client.wire.send('x'.repeat(100_000));
  t.equal((await client.hasMessages(1))[0]?.length, 100_000);
  client.wire.send('x'.repeat(2 * 1024 * 1024));
  t.equal((await client.isClosed()).code, 1009, 'a small message that unpacks to a large one');
});

t.test('the guide lists every limit with its default', async (t) => {
  const guide = await readFile('docs/guides/server.md', 'utf8');
  const rows = guide.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]+) \|/gm);
  const listed = Array.from(rows, ([, names = '', numbers = '']) => {
    const values = numbers.split(', ').map((number) => Number(number.replaceAll(',', '')));
    return Array.from(names.matchAll(/\w+/g), ([name], i) => [name, values[i]]);
  });
  t.same(Object.fromEntries(listed.flat()), defaultLimits);
});

t.test('a limit that is unknown, or no number, is refused', async (t) => {
  const wrong = { code: 'CHANNELS_ERR_INVALID_OPTION' };
  await t.rejects(startServer(t, application, { limits: { pingMs: 0 } }), wrong);
  await t.rejects(startServer(t, application, { limits: Object.fromEntries([['ping', 1]]) }), wrong);
});

const bad = (lines: string, method = 'GET', version = '1.1') =>
  `${method} / HTTP/${version}\r\n${lines}\r\n\r\n`;

t.test('heads that another program may read differently are answered with 400', async (t) => {
  const { port } = await startServer(t, application);
  const refused = {
    ...Object.fromEntries(
      ['\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\x85', '\x00', '\x7f'].map((byte) => [
        `the byte ${byte.charCodeAt(0).toString(16)} in a header`,
        bad(`Host: a\r\nX-A: b${byte}c`),
      ]),
    ),
    'a name with an underscore': bad('Host: a\r\nX_Forwarded_For: b'),
    'several hosts': bad('Host: a\r\nHost: b'),
    'no host': bad('X-A: b'),
    'a malformed host': bad('Host: a/b'),
    'two lengths': bad('Host: a\r\nContent-Length: 1\r\nContent-Length: 1', 'POST'),
    'two lengths in one': bad('Host: a\r\nContent-Length: 1, 1', 'POST'),
    'a signed length': bad('Host: a\r\nContent-Length: +1', 'POST'),
    'a length and an encoding': bad('Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked', 'POST'),
    'two encodings': bad('Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked', 'POST'),
    'another encoding': bad('Host: a\r\nTransfer-Encoding: gzip, chunked', 'POST'),
    'an encoding with a strange byte': bad('Host: a\r\nTransfer-Encoding: \x0bchunked', 'POST'),
    'an encoding of HTTP/1.0': bad('Host: a\r\nTransfer-Encoding: chunked', 'POST', '1.0'),
    'a blank before the colon': bad('Host: a\r\nTransfer-Encoding : chunked', 'POST'),
    'a folded line': bad('Host: a\r\nX-A: b\r\n c'),
    'a line that ends with LF': 'GET / HTTP/1.1\nHost: a\n\n',
    'a bare CR': bad('Host: a\r\nX-A: b\rX-B: c'),
    'a version that is none': 'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
    'a request line with a control character': 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n',
  };
  for (const [what, head] of Object.entries(refused)) t.equal(await statusOf(t, port, head), 400, what);
  const chunks = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const chunk of ['1 \r\nx\r\n0\r\n\r\n', '0x1\r\nx\r\n0\r\n\r\n', '1\nx\n0\n\n', '-1\r\nx\r\n'])
    t.equal(await statusOf(t, port, chunks + chunk), 400, JSON.stringify(chunk));
  t.equal(await statusOf(t, port, `${handshake}X_A: b\r\n\r\n`), 400, 'an underscore in a handshake');
});
