// Random requests, sockets and damaged bytes against the server and everything that reads what a client sends. It prints its
// seed; FUZZ_SECONDS makes it longer, SEED repeats it.

import { createHmac } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import {
  AllowedHosts,
  type Application,
  cookies,
  cookiesOf,
  type HttpScope,
  type Message,
  OriginValidator,
  ProtocolTypeRouter,
  path,
  rePath,
  sessionOf,
  signedSession,
  URLRouter,
  type WebsocketScope,
} from '../../../channels/index.js';
import { frame } from '../../support/frames.js';
import { RawClient, type RunningServer, startServer, statusOf } from '../../support/protocol-server.js';
import { Random } from '../../support/random.js';
import { type ReadRequest, readConnection } from '../../support/request-reader.js';
import { turns, until } from '../../support/until.js';

const seconds = Number(process.env.FUZZ_SECONDS ?? 2);
const random = new Random();
const key = 'a key of the fuzzer, long enough for it';

const times = <T>(low: number, high: number, make: (i: number) => T): T[] =>
  Array.from({ length: random.whole(low, high) }, (_, i) => make(i));
const byte = () => String.fromCharCode(random.whole(0, 255));
const hostile = [
  '\0',
  '\x0b',
  '\x0c',
  '\r',
  '\n',
  '\r\n',
  '\x1c',
  '\x1d',
  '\x1e',
  '\x7f',
  '\x85',
  '\xff',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '=',
  '"',
  '_',
  '%',
  '\\',
];
const words = [
  'a',
  'chat',
  'room',
  '..',
  '.',
  'constructor',
  '__proto__',
  'toString',
  '0',
  '-1',
  'NaN',
  'null',
  '{}',
  '[]',
  "'",
  '~',
  '$&',
  'x'.repeat(300),
];
const escapes = [
  '%20',
  '%2F',
  '%00',
  '%0d%0a',
  '%C3%B5',
  '%c3',
  '%ff',
  '%ed%a0%80',
  '%f0%9d%84%9e',
  '%',
  '%%',
  '%4',
  '%zz',
  '%u0041',
  '%ef%bb%bf',
  '%25',
];
const text = () => times(0, 4, () => random.pick([...words, ...escapes, '&', '=', ';', '+'])).join('');

function target(host: string): string {
  const route = random.pick(['', '', '/chat/', '/room/', '/chat/deep/']);
  const local = `${route || '/'}${times(0, 4, () => random.pick([text(), text(), ''])).join('/')}${random.chance(0.4) ? '/' : ''}`;
  const query = random.chance(0.5) ? `?${times(0, 4, text).join(random.pick(['&', '?', '=', '/']))}` : '';
  const prefix = random.chance(0.1) ? `http://${random.chance(0.9) ? host : 'other'}` : '';
  return random.chance(0.02) ? random.pick(['*', '//', '/#', 'x', 'http://']) : prefix + local + query;
}

/** A session cookie that was signed, or is nearly so. */
function sessionCookie(): string {
  const content = Buffer.from(random.pick(['{}', '{"visits":3}', '{"__proto__":{"x":1}}'])).toString(
    'base64url',
  );
  const signed = `${content}.${random.pick([Math.floor(Date.now() / 1000), 0, 999_999_999_999])}`;
  const signature = createHmac('sha256', key).update(`session=${signed}`).digest('base64url');
  return random.pick([
    `${signed}.${signature}`,
    `${signed}.${signature}A`,
    `${signed}.`,
    `..`,
    `${content}.1.${signature}`,
    signed,
  ]);
}

const cookie = () =>
  times(0, 5, () =>
    random.pick([
      `${text()}=${text()}`,
      `session=${sessionCookie()}`,
      text(),
      '=',
      ';',
      '"',
      `a="${text()}"`,
      letter(),
    ]),
  ).join(random.pick(['; ', ';', ' ; ', ',']));

/** A byte that a header may have, nearly always. */
const letter = () =>
  random.chance(0.01) ? byte() : random.pick(['\xc3', '\xff', '\x80', '"', '<', '~', '!', '\t', 'z']);
const anyValue = () => times(0, 8, () => random.pick([text(), letter(), ' ', 'x'])).join('');
const names = ['X-A', 'x-b', 'Accept', 'constructor', 'x', "!#$%&'*+-.^`|~"];
const anyName = () => (random.chance(0.01) ? `X-${byte()}` : random.pick(names));

function headers(host: string): string[] {
  const lines = [
    random.chance(0.98) ? `Host: ${host}` : random.pick(['', 'Host: a b', `Host: ${anyValue()}`, 'host:']),
  ];
  lines.push(...times(0, 4, () => `${anyName()}:${random.pick([' ', '', '\t', '  '])}${anyValue()}`));
  if (random.chance(0.5)) lines.push(`Cookie: ${cookie()}`);
  if (random.chance(0.1)) lines.push(`Cookie: ${cookie()}`);
  if (random.chance(0.6))
    lines.push(
      `Origin: ${random.pick(['http://a', 'http://x.a', 'https://sub.a:1', 'null', 'http://a.b:1', `http://${text()}`, anyValue(), 'http://[::1]'])}`,
    );
  if (random.chance(0.1)) lines.push(`X-Forwarded-For: ${anyValue()}`, `X-Forwarded-Proto: ${anyValue()}`);
  if (random.chance(0.03)) lines.push(`Expect: ${random.pick(['100-continue', 'x'])}`);
  if (random.chance(0.03))
    lines.push(`Connection: ${random.pick(['close', 'keep-alive', 'Upgrade', text()])}`);
  return lines.filter((line) => line !== '').sort(() => random.next() - 0.5);
}

function chunks(body: string): string {
  const parts: string[] = [];
  for (let rest = body; rest !== ''; ) {
    const part = rest.slice(0, random.whole(1, rest.length));
    parts.push(`${part.length.toString(16)}${random.chance(0.2) ? ';a=b' : ''}\r\n${part}\r\n`);
    rest = rest.slice(part.length);
  }
  return `${parts.join('')}0\r\n${random.chance(0.2) ? 'X-T: y\r\n' : ''}\r\n`;
}

function request(): string {
  const host = random.pick(['a', 'a:80', 'sub.a', '[::1]', 'other', 'A']);
  const isSocket = random.chance(0.15);
  const lines = headers(host);
  let body = '';
  if (isSocket) {
    lines.push(
      'Connection: Upgrade',
      `Upgrade: ${random.pick(['websocket', 'WebSocket', 'websocket', 'h2c'])}`,
    );
    lines.push(
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${random.pick(['dGhlIHNhbXBsZSBub25jZQ==', 'x'])}`,
    );
    if (random.chance(0.3))
      lines.push(`Sec-WebSocket-Protocol: ${random.pick(['a, b', 'a', 'a,a', text()])}`);
    if (random.chance(0.2))
      lines.push(`Sec-WebSocket-Extensions: ${random.pick(['permessage-deflate', ';;', text()])}`);
  } else if (random.chance(0.4)) {
    const content = times(0, 20, byte).join('');
    const isChunked = random.chance(0.5);
    lines.push(
      isChunked
        ? `Transfer-Encoding: ${random.pick(['chunked', 'CHUNKED'])}`
        : `Content-Length: ${content.length}`,
    );
    body = isChunked ? chunks(content) : content;
  }
  const method = isSocket
    ? 'GET'
    : random.pick(['GET', 'GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'M-SEARCH', 'DELETE']);
  return `${method} ${target(host)} HTTP/1.${random.chance(0.95) ? 1 : 0}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Some bytes are changed, dropped, doubled or put in. */
function damaged(bytes: string): string {
  let result = bytes;
  for (let n = random.whole(1, 3); n > 0; n--) {
    const at = random.whole(0, result.length);
    const cut = at + random.pick([0, 0, 1, 1, 2, random.whole(0, 30)]);
    const put = random.pick([random.pick(hostile), byte(), '', result.slice(at, cut).repeat(2)]);
    result = result.slice(0, at) + put + result.slice(cut);
  }
  return result;
}

const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

function connectionBytes(): string {
  const requests = times(1, 3, request).join('');
  return (random.chance(0.4) ? damaged(requests) : requests) + last;
}

/** Frames, some of them damaged. */
function frames(): Buffer {
  const all = Buffer.concat(
    times(0, 6, () =>
      frame({
        opcode: random.pick([0, 1, 1, 2, 2, 8, 9, 10, random.whole(0, 15)]),
        payload: random.chance(0.5) ? text() : Buffer.from(times(0, 40, byte).join(''), 'latin1'),
        fin: random.chance(0.8),
        isMasked: random.chance(0.97),
        reserved: random.chance(0.97) ? 0 : random.whole(1, 7),
      }),
    ),
  );
  return random.chance(0.3) ? Buffer.from(damaged(all.toString('latin1')), 'latin1') : all;
}

type Seen = Map<number, ReadRequest[]>;

/** Everything that reads what a client sends, behind one application that notes the scopes. */
function applicationThatNotes(seen: Seen): Application {
  const leaf: Application = async (scope, receive, send) => {
    const known = Object.values(cookiesOf(scope)).join('').length;
    const session = sessionOf(scope);
    session.visits = Number(session.visits ?? 0) + 1;
    if (scope.type === 'websocket') {
      await receive();
      await send({
        type: 'websocket.accept',
        subprotocol: (scope as WebsocketScope).subprotocols[0],
      } as Message);
      for (;;) {
        const message = await receive();
        if (message.type === 'websocket.disconnect') return;
        await send({ ...message, type: 'websocket.send' });
      }
    }
    for (let hasMore = true; hasMore; ) {
      const message = await receive();
      if (message.type === 'http.disconnect') return;
      hasMore = Reflect.get(message, 'more_body') === true;
    }
    await send({ type: 'http.response.start', status: 200 } as Message);
    await send({ type: 'http.response.body', body: Buffer.from(`${known}`) } as Message);
  };
  const routes = URLRouter([
    path('/chat/', URLRouter([path('/:room/', leaf), path('/deep/:name/:other', leaf)])),
    rePath(/room\/(?<number>\d+)\/$/, leaf),
    rePath(/.*/s, leaf),
  ]);
  const http = AllowedHosts(cookies(signedSession(routes, { keys: [key] })), ['.a', '[::1]']);
  const websocket = OriginValidator(
    http,
    ['http://a', '.b', 'http://[::1]', '*'].slice(0, random.whole(3, 4)),
  );
  const router = ProtocolTypeRouter({ http, websocket });
  return async (scope, receive, send) => {
    const {
      type,
      client,
      httpVersion,
      rawPath,
      path = '',
      queryString,
      headers,
      ...rest
    } = scope as HttpScope | WebsocketScope;
    const method = type === 'http' ? (rest as HttpScope).method : 'GET';
    const requests = seen.get(client?.[1] ?? 0) ?? [];
    seen.set(client?.[1] ?? 0, [
      ...requests,
      { type, method, httpVersion, rawPath, path, queryString, headers },
    ]);
    await router(scope, receive, send);
  };
}

/** How often what happened. */
const counts: Record<string, number> = {};
const count = (what: string, by = 1) => {
  counts[what] = (counts[what] ?? 0) + by;
};

/** Sends one connection's bytes, and compares what the application saw of them. */
async function tryConnection(t: Test, { port }: RunningServer, seen: Seen, bytes: string): Promise<void> {
  const { requests, end } = readConnection(bytes);
  const client = await RawClient.connect(t, port);
  const local = client.socket.localPort ?? 0;
  seen.delete(local);
  const given = () => seen.get(local) ?? [];
  for (let at = 0; at < bytes.length; ) {
    const size = random.chance(0.6) ? bytes.length : random.whole(1, 60);
    client.write(bytes.slice(at, at + size));
    at += size;
    if (at < bytes.length) await turns(1);
  }
  if (end === 'refused' || end === 'ended') await client.closed();
  else await until('the requests were given', () => client.isClosed || given().length >= requests.length);
  if (end === 'socket' && !client.isClosed) {
    client.socket.write(frames());
    await turns(3);
  }
  client.socket.destroy();
  const statuses = Array.from(client.received.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) =>
    Number(status),
  );
  const problems = [
    statuses.some((status) => status >= 500 && status !== 505) && 'a 500',
    statuses.includes(408) && 'a 408: the server waits for what is there',
    client.received.includes('internal error') && 'the code 1011',
    end !== 'open' && !isDeepStrictEqual(given(), requests.slice(0, given().length)) && 'another reading',
    // Before a bad request the answers of others may not have begun.
    (end === 'ended' || end === 'waits' || end === 'socket') &&
      given().length !== requests.length &&
      'fewer requests',
  ].filter((each) => each !== false);
  if (problems.length > 0)
    t.fail(problems.join(', '), {
      facts: JSON.stringify({ bytes, end, statuses, expected: requests, given: given(), seed: random.seed }),
    });
  count('connections');
  count(end);
  count('requests given', given().length);
  for (const status of statuses) count(`status ${status}`);
}

t.test(
  `whatever a client sends, the server stays, and its reading is the documented one (seed ${random.seed})`,
  async (t) => {
    const seen: Seen = new Map();
    const running = await startServer(t, applicationThatNotes(seen), {
      limits: { maxConnectionsPerAddress: 10_000 },
    });
    const endAt = performance.now() + seconds * 1000;
    while (performance.now() < endAt && t.passing()) {
      await Promise.all(times(10, 30, () => tryConnection(t, running, seen, connectionBytes())));
      t.equal(await statusOf(t, running.port, last), 200, 'a plain request is answered');
      const failed = running.events.filter(({ type }) => /failed|stuck|bad/i.test(type));
      if (failed.length > 0) t.fail('the application failed', { failed, seed: random.seed });
      running.events.length = 0;
      seen.clear();
    }
    await until('all sockets are gone', () => running.server.sockets().length === 0);
    t.comment(JSON.stringify(counts));
  },
);
