import t from 'tap';
import type { HttpScope } from '../../../channels/browser/protocol.js';
import type { Application, HeaderList, Message } from '../../../channels/index.js';
import { ChannelsError, NoRouteError } from '../../../channels/index.js';
import { RawClient, startServer, statusOf } from '../../support/protocol-server.js';
import { until, untilStill } from '../../support/until.js';

interface Body extends Message {
  readonly type: 'http.response.body';
  readonly body: Uint8Array;
  readonly more_body?: boolean;
}

const start = (status = 200, headers: HeaderList = []) =>
  ({ type: 'http.response.start', status, headers }) as const;
const body = (text: string, more_body = false): Body => ({
  type: 'http.response.body',
  body: Buffer.from(text),
  more_body,
});

/** Answers with the scope as JSON. */
const showScope: Application = async (scope, _receive, send) => {
  const { extensions: _, ...shown } = scope;
  await send(start(200, [['content-type', 'application/json']]));
  await send(body(JSON.stringify(shown)));
};

/** Answers each request with a fixed text. */
const hello: Application = async (_scope, _receive, send) => {
  await send(start());
  await send(body('hello'));
};

async function readAll(receive: () => Promise<Message>): Promise<{ text: string; parts: number }> {
  let text = '';
  for (let parts = 1; ; parts++) {
    const message = await receive();
    if (message.type !== 'http.request' || !('body' in message)) return { text, parts };
    text += Buffer.from(message.body as Uint8Array).toString();
    if (!('more_body' in message) || message.more_body !== true) return { text, parts };
  }
}

t.test('a scope has what the specification names, headers in order with duplicates kept', async (t) => {
  const { port } = await startServer(t, showScope);
  const client = await RawClient.connect(t, port);
  client.write('GET /caf%C3%A9/%2fx%zz?q=%20a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-b: 2\r\nX-a: 3\r\n\r\n');
  const text = await client.until(/\}$/);
  const json = Buffer.from(text.slice(text.indexOf('{')), 'latin1').toString();
  const scope: HttpScope = JSON.parse(json);
  t.match(scope, {
    type: 'http',
    asgi: { version: '3.0', specVersion: '2.5' },
    httpVersion: '1.1',
    method: 'GET',
    scheme: 'http',
    path: '/café//x%zz',
    rawPath: '/caf%C3%A9/%2fx%zz',
    queryString: 'q=%20a',
    rootPath: '',
    server: ['127.0.0.1', port],
    state: {},
  });
  t.same(scope.headers, [
    ['host', 'a'],
    ['x-a', '1'],
    ['x-b', '2'],
    ['x-a', '3'],
  ]);
  t.equal(scope.client?.[0], '127.0.0.1');
});

t.test('a target with scheme and host, and one that is empty, have a path', async (t) => {
  const { port } = await startServer(t, showScope);
  for (const [target, path] of [
    ['http://a/a/b?c', '/a/b'],
    ['http://A', '/'],
    ['http://a?b', '/'],
  ]) {
    const client = await RawClient.connect(t, port);
    client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    t.match(await client.until(/\}$/), `"path":"${path}"`);
  }
});

t.test('a response has its headers in order, duplicates kept, and its length', async (t) => {
  const { port } = await startServer(t, async (_scope, _receive, send) => {
    await send(
      start(201, [
        ['Set-Cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['Transfer-Encoding', 'chunked'],
      ]),
    );
    await send(body('made'));
  });
  const client = await RawClient.connect(t, port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const text = await client.until(/made$/);
  t.match(text, /^HTTP\/1\.1 201 Created\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 4\r\n/);
  t.notMatch(text, /transfer-encoding/i);
});

t.test('a body is streamed to the application, and its answer to the client', async (t) => {
  const parts: string[] = [];
  const { port } = await startServer(t, async (_scope, receive, send) => {
    await send(start());
    await send(body('got:', true));
    for (let isLast = false; !isLast; ) {
      const part = (await receive()) as unknown as { body: Uint8Array; more_body: boolean };
      parts.push(Buffer.from(part.body).toString());
      isLast = !part.more_body;
      await send(body(parts.at(-1) ?? '', true));
    }
    await send(body('.'));
  });
  const client = await RawClient.connect(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
  await client.until(/abc\r\n$/);
  t.same(parts, ['abc'], 'a part is there before the rest was sent');
  client.write('def');
  t.match(await client.until(/0\r\n\r\n$/), /got:.*abc.*def.*\./s);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n');
  t.match(await client.until(/xyz.*0\r\n\r\n$/s), /xyz/, 'the connection is used again');
});

t.test('a body that nobody reads does not spoil the connection', async (t) => {
  const { port } = await startServer(t, hello);
  const client = await RawClient.connect(t, port);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`);
  await client.until(/hello$/);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until(/hello.*hello$/s);
  t.pass('answered twice');
});

t.test('the client is asked to go on when the application wants the body', async (t) => {
  const { port } = await startServer(t, async (_scope, receive, send) => {
    const { text } = await readAll(receive);
    await send(start());
    await send(body(`read ${text}`));
  });
  const client = await RawClient.connect(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  await client.until(/100 Continue\r\n\r\n/);
  client.write('ok');
  t.match(await client.until(/read ok$/), /HTTP\/1\.1 200/);
});

t.test('who asks for more after the response gets http.disconnect, then StopConsumer', async (t) => {
  const received: string[] = [];
  const { port } = await startServer(t, async (_scope, receive, send) => {
    received.push((await receive()).type);
    await send(start());
    await send(body('x'));
    received.push((await receive()).type);
    await receive();
  });
  t.equal(await statusOf(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 200);
  await until('the instance ended', () => received.length === 2);
  t.same(received, ['http.request', 'http.disconnect']);
});

t.test('a client that leaves is told of; to send to it rejects, which nobody logs', async (t) => {
  const seen: string[] = [];
  const { port, events } = await startServer(t, async (_scope, receive, send) => {
    seen.push((await receive()).type);
    seen.push((await receive()).type);
    await send(start()).catch((error: unknown) =>
      seen.push(error instanceof ChannelsError ? error.code : ''),
    );
    await send(start());
  });
  const client = await RawClient.connect(t, port);
  client.write('GET /left HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the application waits', () => seen.length === 1);
  client.socket.destroy();
  await until('the application ended', () => seen.length === 3);
  t.same(seen, ['http.request', 'http.disconnect', 'CHANNELS_ERR_CLIENT_GONE']);
  await until('the request is reported', () => events.length > 0);
  t.match(events, [{ type: 'request', path: '/left', status: 0 }]);
});

t.test('a response waits for a client that reads slowly', async (t) => {
  let sent = 0;
  const { port } = await startServer(t, async (_scope, _receive, send) => {
    await send(start());
    for (let i = 0; i < 200; i++) {
      await send(body('x'.repeat(65_536), true));
      sent++;
    }
    await send(body('end'));
  });
  const client = await RawClient.connect(t, port);
  client.socket.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await untilStill('nothing more is taken', () => sent);
  t.ok(sent < 150, `${sent} parts were taken`);
  client.socket.resume();
  await client.until(/end\r\n0\r\n\r\n$/);
  t.equal(sent, 200);
});

t.test('an application that fails, or answers nothing, is a 500; one without a route a 404', async (t) => {
  const { port, events } = await startServer(t, async (scope) => {
    if (scope.path === '/fails') throw new Error('lost its way');
    if (scope.path === '/nowhere') throw new NoRouteError('no route');
  });
  const get = (path: string) => statusOf(t, port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  t.equal(await get('/fails'), 500);
  t.equal(await get('/silent'), 500);
  t.equal(await get('/nowhere'), 404);
  t.match(
    events.filter(({ type }) => type === 'applicationFailed'),
    [{ path: '/fails' }],
  );
});

t.test('half a response is not made to look like a whole one', async (t) => {
  const { port } = await startServer(t, async (_scope, _receive, send) => {
    await send(start(200, [['content-length', '10']]));
    await send(body('12345', true));
    await send(body('6789012345'));
  });
  const client = await RawClient.connect(t, port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.notMatch(await client.closed(), /67890/);
});

t.test('what the protocol does not allow is refused with its reason', async (t) => {
  const problems: string[] = [];
  const bad: Message[] = [
    body('too early'),
    { type: 'http.response.begin' },
    { type: 'http.response.start', status: 'ok' } as Message,
    { type: 'http.response.start', status: 200, headers: [['a b', 'c']] } as Message,
    { type: 'http.response.start', status: 200, headers: [['a', 'b\r\nc: d']] } as Message,
    { type: 'http.response.start', status: 200, headers: { a: 'b' } } as Message,
  ];
  const { port } = await startServer(t, async (_scope, _receive, send) => {
    for (const message of bad) {
      await send(message).catch((error: unknown) => {
        t.ok(error instanceof ChannelsError && error.code === 'CHANNELS_ERR_PROTOCOL', String(error));
        problems.push(String(error));
      });
    }
    await send(start());
    await send(start()).catch((error: unknown) => problems.push(String(error)));
    await send(body('x'));
    await send(body('y')).catch((error: unknown) => problems.push(String(error)));
  });
  t.equal(await statusOf(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 200);
  await until('all were refused', () => problems.length === bad.length + 2);
});

t.test('requests that come at once on one connection are answered one after the other', async (t) => {
  let running = 0;
  let most = 0;
  const { port } = await startServer(t, async (scope, _receive, send) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    await send(start());
    await send(body(`<${scope.path}>`));
  });
  const client = await RawClient.connect(t, port);
  const count = 50;
  client.write(Array.from({ length: count }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  const text = await client.until(/<\/49>$/);
  t.same(
    Array.from(text.matchAll(/<\/(\d+)>/g), ([, n]) => Number(n)),
    Array.from({ length: count }, (_, i) => i),
  );
  t.equal(most, 1);
});

t.test('a client that offers another protocol gets an HTTP answer', async (t) => {
  const { port } = await startServer(t, hello);
  const upgrade = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';
  t.equal(await statusOf(t, port, `GET / HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`), 200);
  t.equal(await statusOf(t, port, `POST / HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: 1\r\n\r\nx`), 400);
});

t.test('the body of a HEAD request is not sent', async (t) => {
  const { port } = await startServer(t, hello);
  const client = await RawClient.connect(t, port);
  client.write('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.match(await client.closed(), /^HTTP\/1\.1 200 OK.*\r\n\r\n$/s);
});
