// Heads and bodies as bytes: what is refused, what is waited for, and what the application is given.
//
// The first three tests have the cases of h1spec (uNetworking/h1spec); the others are the known forms of request smuggling,
// each followed by a second request that must not be found in the first one.

import t, { type Test } from 'tap';
import type { Application, HttpScope, Message } from '../../../channels/index.js';
import { RawClient, type RunningServer, startServer } from '../../support/protocol-server.js';
import { turns, until } from '../../support/until.js';

/** What the application was given: the method, the target and the body of each request that came whole. */
interface Echo extends RunningServer {
  readonly seen: string[];
}

/** Serves an application that answers with the body of the request. */
async function startEcho(t: Test): Promise<Echo> {
  const seen: string[] = [];
  const application: Application = async (scope, receive, send) => {
    const { method, rawPath } = scope as HttpScope;
    if (scope.type !== 'http') throw new Error(`a ${scope.type} was opened`);
    if (rawPath === '/slow') await turns(5);
    const parts: Uint8Array[] = [];
    for (let hasMore = true; hasMore; ) {
      const message = await receive();
      if (message.type !== 'http.request') return;
      parts.push(Reflect.get(message, 'body') as Uint8Array);
      hasMore = Reflect.get(message, 'more_body') === true;
    }
    const body = Buffer.concat(parts);
    seen.push(`${method} ${rawPath} ${body.toString('latin1')}`);
    await send({ type: 'http.response.start', status: 200 } as Message);
    await send({ type: 'http.response.body', body } as Message);
  };
  return { ...(await startServer(t, application)), seen };
}

const statuses = (received: string) =>
  Array.from(received.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, n]) => Number(n));

/** A request behind another one, after which the connection ends. */
const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Sends the bytes and, behind them, one more request; gives the statuses of all answers and what the application saw. */
async function exchange(
  t: Test,
  { port, seen }: Echo,
  bytes: string,
): Promise<{ got: number[]; saw: string[] }> {
  seen.length = 0;
  const client = await RawClient.connect(t, port);
  client.write(bytes + last);
  const got = statuses(await client.closed());
  return { got, saw: [...seen] };
}

/** Each of these is answered with 400 and the end of the connection; the application gets nothing of it. */
async function refuses(t: Test, echo: Echo, cases: Readonly<Record<string, string>>): Promise<void> {
  for (const [what, bytes] of Object.entries(cases))
    t.same(
      await exchange(t, echo, bytes),
      { got: [400], saw: [] },
      `${what}: ${JSON.stringify(bytes).slice(0, 120)}`,
    );
}

/** Each of these is answered with 200; the application gets this body, and then the request behind it. */
async function takes(
  t: Test,
  echo: Echo,
  cases: Readonly<Record<string, [bytes: string, saw: string]>>,
): Promise<void> {
  for (const [what, [bytes, saw]] of Object.entries(cases))
    t.same(await exchange(t, echo, bytes), { got: [200, 200], saw: [saw, 'GET /last '] }, what);
}

const get = (lines: string) => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`;
const post = (lines: string, body = '') => `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${body}`;
const chunked = (chunks: string) => post('Transfer-Encoding: chunked', chunks);

t.test('a request that stops anywhere is waited for, and answered once the rest is there', async (t) => {
  const { port, seen } = await startEcho(t);
  const whole = 'GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const clients = await Promise.all(
    Array.from(whole.slice(1), async (_, i) => {
      const client = await RawClient.connect(t, port);
      client.write(whole.slice(0, i + 1));
      return client;
    }),
  );
  // A request that begins later is answered before any of them.
  const other = await RawClient.connect(t, port);
  other.write(last);
  await other.closed();
  t.same(
    clients.filter(({ isClosed, received }) => isClosed || received !== ''),
    [],
  );
  for (const [i, client] of clients.entries()) client.write(whole.slice(i + 1));
  for (const client of clients) t.same(statuses(await client.closed()), [200]);
  t.equal(seen.length, 1 + clients.length);
});

t.test('requests come byte by byte, or many in one piece', async (t) => {
  const { port, seen } = await startEcho(t);
  const requests = [
    post('Content-Length: 5', 'hello'),
    chunked('c;x=y\r\nHellO world1\r\n1\r\n!\r\n0\r\nX-Trailer: z\r\n\r\n'),
    get('X-Empty:'),
    last,
  ].join('');
  const expected = ['POST / hello', 'POST / HellO world1!', 'GET / ', 'GET /last '];
  for (const size of [1, 2, 3, 7, requests.length]) {
    seen.length = 0;
    const client = await RawClient.connect(t, port);
    client.socket.setNoDelay(true);
    for (let at = 0; at < requests.length; at += size) {
      client.write(requests.slice(at, at + size));
      await turns(1);
    }
    t.same(statuses(await client.closed()), [200, 200, 200, 200], `pieces of ${size}`);
    t.same(seen, expected);
  }
});

t.test('requests that are well formed are answered, those that are not are refused', async (t) => {
  const echo = await startEcho(t);
  await takes(t, echo, {
    'a plain request': [get('Accept: */*'), 'GET / '],
    'a header name in any case, a tab, an empty value': [
      'GET / HTTP/1.1\r\nhoSt:\ta\r\nempty:\r\n\r\n',
      'GET / ',
    ],
    'a value of blanks': [get('X-Empty: '), 'GET / '],
    'a body with a length': [post('Content-Length: 5', 'hello'), 'POST / hello'],
    'a body in chunks': [chunked('c\r\nHellO world1\r\n0\r\n\r\n'), 'POST / HellO world1'],
    'an empty line before it': [`\r\n${get('X: y')}`, 'GET / '],
    'all methods': ['DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n', 'DELETE /x '],
    'a body of a GET': [`GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`, 'GET / abc'],
    'all of the server': ['OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS * '],
  });
  t.equal((await exchange(t, echo, get('Expect: 100-continue'))).got[0], 200, 'there is no body to wait for');
  for (const head of ['GET /', 'GET / HTTP/2.0\r\nHost: a', 'GET / HTTP/0.9\r\nHost: a'])
    t.same(await exchange(t, echo, `${head}\r\n\r\n`), { got: [505], saw: [] }, head);
  await refuses(t, echo, {
    'no version': 'GET / \r\n\r\n',
    'a version that is none': 'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: a\r\n\r\n',
    'a version in lower case': 'GET / http/1.1\r\nHost: a\r\n\r\n',
    'a version of three digits': 'GET / HTTP/01.1\r\nHost: a\r\n\r\n',
    'something before the method': 'Extra lineGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'a blank before the method': ' GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'a blank behind the version': 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n',
    'a tab in the request line': 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'a method in lower case': 'get / HTTP/1.1\r\nHost: a\r\n\r\n',
    'a target without a slash': 'GET a HTTP/1.1\r\nHost: a\r\n\r\n',
    'a target with a fragment': 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n',
    'brackets in a name': get('X-Invalid[]: test'),
    'an empty name': get(': b'),
    'a name only': get('X-A'),
    'a blank before a name': get(' X-A: b'),
    'a blank before the first name': 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
    'a bell in a value': get('X-Bad-Control-Char: test\x07'),
    'a CR before a name': get('\rSome-Header: Test'),
    'no host': 'GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
    'several hosts': get('Host: example.org'),
    'a negative length': post('Content-Length: -1234'),
    'a negative length beyond all numbers': post('Content-Length: -123456789123456789123456789'),
    'a length of letters': post('Content-Length: abc'),
    'a length and an encoding, in any case': post(
      'content-LengtH: 5\r\nTransFer-Encoding: chunked',
      'c\r\nHellO world1\r\n0\r\n\r\n',
    ),
  });
});

t.test('bytes at which some program breaks lines are refused in every place of a head', async (t) => {
  const echo = await startEcho(t);
  for (const byte of [
    '\x00',
    '\x01',
    '\x0a',
    '\x0b',
    '\x0c',
    '\x0d',
    '\x1c',
    '\x1d',
    '\x1e',
    '\x1f',
    '\x7f',
    '\x85',
  ])
    await refuses(t, echo, {
      'in a value': get(`X-A: b${byte}c`),
      'before a value': get(`X-A:${byte}b`),
      'behind a value': get(`X-A: b${byte}`),
      'in a name': get(`X${byte}A: b`),
      'in a target': `GET /a${byte}b HTTP/1.1\r\nHost: a\r\n\r\n`,
      'in a query': `GET /a?${byte} HTTP/1.1\r\nHost: a\r\n\r\n`,
      'in a method': `GE${byte}T / HTTP/1.1\r\nHost: a\r\n\r\n`,
      'in a host': `GET / HTTP/1.1\r\nHost: a${byte}b\r\n\r\n`,
      'in a length': post(`Content-Length: 3${byte}`, 'abc'),
      'in an encoding': post(`Transfer-Encoding: chunked${byte}`, '0\r\n\r\n'),
      'behind an encoding': post(`Transfer-Encoding:${byte}chunked`, '0\r\n\r\n'),
    });
  for (const name of ['X_A', '_', 'Content_Length', 'TRANSFER_ENCODING', 'X_Forwarded_For'])
    await refuses(t, echo, { 'an underscore': get(`${name}: 1`) });
  for (const byte of [
    ' ',
    '\t',
    '"',
    '(',
    ')',
    ',',
    '/',
    ';',
    '<',
    '=',
    '>',
    '?',
    '@',
    '[',
    '\\',
    ']',
    '{',
    '}',
    '\xe4',
  ])
    await refuses(t, echo, { 'no letter of a name': get(`X${byte}A: b`) });
});

t.test('lines end with CR and LF, and are not folded', async (t) => {
  const echo = await startEcho(t);
  await refuses(t, echo, {
    'LF for all': 'GET / HTTP/1.1\nHost: a\n\n',
    'LF behind the request line': 'GET / HTTP/1.1\nHost: a\r\n\r\n',
    'LF behind a header': 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n',
    'LF for the empty line': 'GET / HTTP/1.1\r\nHost: a\r\n\n',
    'CR behind the request line': 'GET / HTTP/1.1\rHost: a\r\n\r\n',
    'CR behind a header': 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n',
    'CR twice': 'GET / HTTP/1.1\r\nHost: a\r\r\n\r\n',
    'a folded value': get('X-A: b\r\n c'),
    'a value folded by a tab': get('X-A: b\r\n\tc'),
    'a value that begins on the next line': get('X-A:\r\n b'),
    'an encoding on the next line': post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'),
    'an encoding folded into another header': post('X-A: b\r\n Transfer-Encoding: chunked', '0\r\n\r\n'),
    'an empty folded line': get('X-A: b\r\n \r\nX-B: c'),
  });
});

t.test('there is one host, of one form, and a target names no other', async (t) => {
  const echo = await startEcho(t);
  const at = (host: string, target = '/') => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  await refuses(t, echo, {
    'the same host twice': get('Host: a'),
    'the same host twice in HTTP/1.0': 'GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n',
    'two in one': at('a, b'),
    'a blank': at('a b'),
    'a path': at('a/b'),
    'a user': at('u@a'),
    'two ports': at('a:80:80'),
    'a port of letters': at('a:x'),
    'half an address': at('[::1'),
    'a target of another host': at('a', 'http://b/x'),
    'a target of another port': at('a', 'http://a:81/x'),
    'a target with a user': at('a', 'http://u@a/x'),
    'a target without a host': at('a', 'http:///x'),
    'a target with a scheme only': at('a', 'http:x'),
  });
  await takes(t, echo, {
    'an address and a port': [at('[::1]:80'), 'GET / '],
    'a target that names the host': [at('A:80', 'http://a:80/x?y'), 'GET /x '],
    'no host, and a target without one': [at(''), 'GET / '],
  });
});

t.test('a length is made of digits, and there is one', async (t) => {
  const echo = await startEcho(t);
  const wrong = [
    ...['+3', '-3', '0x3', '03h', '3,3', '3, 3', '3 3', '3;', '1e1', '3.0', '"3"', '', '\xd9\xa3', '3_0'],
    ...['9007199254740993', '18446744073709551619', '99999999999999999999999'],
  ];
  for (const length of wrong)
    await refuses(t, echo, { 'a length': post(`Content-Length: ${length}`, 'abc') });
  await refuses(t, echo, {
    'two that differ': post('Content-Length: 3\r\nContent-Length: 4', 'abc'),
    'two that do not': post('Content-Length: 3\r\nX: y\r\ncontent-length: 3', 'abc'),
  });
  await takes(t, echo, {
    'blanks around it': [post('Content-Length:  3 ', 'abc'), 'POST / abc'],
    'zeros before it': [post('Content-Length: 003', 'abc'), 'POST / abc'],
    'none at all': [post('X: y'), 'POST / '],
  });
});

t.test('a body that two programs would end in two places is refused', async (t) => {
  const echo = await startEcho(t);
  const chunks = '3\r\nabc\r\n0\r\n\r\n';
  const encodings = [
    ...[
      'chunked, chunked',
      'chunked,',
      ',chunked',
      'gzip, chunked',
      'chunked, gzip',
      'chunked, identity',
      'identity',
    ],
    ...[
      'identity, chunked',
      'xchunked',
      'chunkedx',
      'chunked;q=1',
      '"chunked"',
      'chun ked',
      'gzip',
      'cow',
      '',
    ],
    ...['chunked\r\nTransfer-Encoding: chunked', 'identity\r\nTransfer-Encoding: chunked'],
    ...['chunked\r\nTransfer-Encoding: cow', 'cow\r\ntransfer-encoding: chunked'],
  ];
  for (const encoding of encodings)
    await refuses(t, echo, { 'an encoding': post(`Transfer-Encoding: ${encoding}`, chunks) });
  await refuses(t, echo, {
    'CL.TE': post('Content-Length: 13\r\nTransfer-Encoding: chunked', '0\r\n\r\nSMUGGLED'),
    'TE.CL': post('Transfer-Encoding: chunked\r\nContent-Length: 3', '8\r\nSMUGGLED\r\n0\r\n\r\n'),
    'TE.TE': post('Transfer-Encoding: chunked\r\nTransfer-encoding: x', chunks),
    'a length of 0 and an encoding': post('Content-Length: 0\r\nTransfer-Encoding: chunked', chunks),
    'a blank before the colon': post('Transfer-Encoding : chunked', chunks),
    'a tab before the colon': post('Transfer-Encoding\t: chunked', chunks),
    'a blank before a length': post('Content-Length : 3', 'abc'),
    'an encoding with an underscore': post('Transfer_Encoding: chunked', chunks),
    'an encoding in HTTP/1.0': `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    'an encoding behind another protocol': post(
      'Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked',
      chunks,
    ),
    'a length behind another protocol': post(
      'Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3',
      'abc',
    ),
  });
  await refuses(t, echo, {
    'an encoding behind an unknown expectation': post(
      'Expect: x\r\nTransfer-Encoding: identity, chunked',
      chunks,
    ),
  });
  await takes(t, echo, {
    'an unknown expectation': [post('Expect: x\r\nContent-Length: 3', 'abc'), 'POST / abc'],
  });
  const forms = ['chunked', 'Chunked', 'CHUNKED', '\tchunked', ' chunked '];
  for (const form of forms)
    await takes(t, echo, { 'a body in chunks': [post(`Transfer-Encoding:${form}`, chunks), 'POST / abc'] });
});

t.test('a handshake is no way around the rules', async (t) => {
  const echo = await startEcho(t);
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ';
  const handshake = (lines: string, host = 'Host: a\r\n', version = '1.1') =>
    `GET / HTTP/${version}\r\n${host}${upgrade}dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`;
  await refuses(t, echo, {
    'a length': `${handshake('Content-Length: 5\r\n')}GET /`,
    'an encoding': `${handshake('Transfer-Encoding: chunked\r\n')}0\r\n\r\n`,
    'no host': handshake('', ''),
    'no host, and another protocol': 'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    'two hosts': handshake('Host: b\r\n'),
    'two origins': handshake('Origin: http://a\r\nOrigin: http://b\r\n'),
    'two keys': handshake('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'),
    'an underscore': handshake('X_A: b\r\n'),
    'the byte 85': handshake('X-A: b\x85c\r\n'),
    'HTTP/1.0': handshake('', undefined, '1.0'),
    'HTTP/2': handshake('', undefined, '2.0'),
    'a target of another host': handshake('').replace('GET /', 'GET http://b/'),
  });
});

t.test('another protocol behind a refused request is not spoken', async (t) => {
  const { port, seen } = await startEcho(t);
  const client = await RawClient.connect(t, port);
  client.write(get('X_A: b').slice(0, -2));
  await turns(1);
  client.write(`\r\n${last.replace('close', 'Upgrade\r\nUpgrade: h2c')}`);
  await client.closed();
  t.same(seen, []);
});

t.test('chunks are of one form; a request that is cut by a bad one is not finished', async (t) => {
  const echo = await startEcho(t);
  const bad = [
    ...[
      '+3\r\nabc',
      '-1\r\nabc',
      '0x3\r\nabc',
      'g\r\nabc',
      '\r\nabc',
      ' 3\r\nabc',
      '3 \r\nabc',
      '3\t\r\nabc',
    ],
    ...[
      '3\nabc',
      '3\rabc',
      '3 ;x\r\nabc',
      '3;\x00\r\nabc',
      '3;x\nabc',
      '3;x\ry\r\nabc',
      '3;x="\r\nabc',
      '10000000000000003\r\nabc',
    ],
    ...[
      '3\r\nabcd',
      '3\r\nab',
      '3\r\nabc0',
      '3\r\nabc\n0',
      '3\r\nabc\r0',
      '3\r\nabc\r\n0\n',
      '3\r\nabc\r\n0\r\n\n',
      '3\r\nabc\r\n0\r\n\rX',
    ],
    ...[
      '3\r\nabc\r\n0\r\nX\x00: y',
      '3\r\nabc\r\n0\r\n x: y',
      '3\r\nabc\r\n0\r\nX y',
      '3\r\nabc\r\n0\r\nContent-Length: 5',
    ],
    ...['3\r\nabc\r\n0\r\nTransfer-Encoding: chunked', '3\r\nabc\r\n0\r\nX: y\nGET /x HTTP/1.1'],
  ];
  for (const chunk of bad) await refuses(t, echo, { 'a chunk': chunked(`${chunk}\r\n0\r\n\r\n`) });
  await takes(t, echo, {
    'zeros before it': [chunked('0003\r\nabc\r\n000\r\n\r\n'), 'POST / abc'],
    'letters in both cases': [
      chunked('a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n'),
      `POST / ${'0123456789'.repeat(2)}`,
    ],
    'an extension': [chunked('3;a\r\nabc\r\n0\r\n\r\n'), 'POST / abc'],
    'an extension with a value': [chunked('3;a=b;c="d;e"\r\nabc\r\n0;f=g\r\n\r\n'), 'POST / abc'],
    'a trailer, which is not read': [chunked('3\r\nabc\r\n0\r\nHost: b\r\nX-A: c\r\n\r\n'), 'POST / abc'],
    'a chunk that looks like the end': [chunked('8\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n'), 'POST / 0\r\n\r\n0\r\n'],
  });
});

t.test('extensions, trailers and heads have an end', async (t) => {
  const echo = await startEcho(t);
  const long = 'x'.repeat(17_000);
  const first = async (bytes: string) => (await exchange(t, echo, bytes)).got[0];
  t.equal(await first(chunked(`3;${long}\r\nabc\r\n0\r\n\r\n`)), 413);
  t.equal(await first(chunked(`3\r\nabc\r\n0\r\nX: ${long}\r\n\r\n`)), 431);
  t.equal(await first(get(`X: ${long}`)), 431);
  t.equal(await first(get(`${long}: x`)), 431);
  t.equal(await first(`GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`), 431);
  t.equal(await first(get(Array.from({ length: 4_000 }, (_, i) => `x${i}:`).join('\r\n'))), 431);
  t.equal(await first(get(Array.from({ length: 1_500 }, (_, i) => `x${i}:`).join('\r\n'))), 200);
});

t.test('a bad request behind a good one ends the connection, and is not the answer of another', async (t) => {
  const { port, seen } = await startEcho(t);
  const bodies = { first: post('Content-Length: 5', 'hello'), slow: 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n' };
  for (const good of Object.values(bodies)) {
    const client = await RawClient.connect(t, port);
    client.write(good);
    await client.until(/200 OK/);
    client.write(`GET / HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n${last}`);
    t.same(statuses(await client.closed()), [200, 400]);
  }
  t.notOk(seen.includes('GET /last '));
});

t.test('requests behind one that takes long wait, but not without end', async (t) => {
  const isAnswered: Array<() => void> = [];
  let count = 0;
  const { port } = await startServer(t, async (_scope, _receive, send) => {
    count++;
    await new Promise<void>((resolve) => isAnswered.push(resolve));
    await send({ type: 'http.response.start', status: 204 } as Message);
    await send({ type: 'http.response.body' } as Message);
  });
  const few = await RawClient.connect(t, port);
  few.write(get('X: y').repeat(90));
  await until('the first is there', () => count === 1);
  for (let i = 0; i < 90; i++) {
    await until('the next is there', () => isAnswered.length > 0);
    isAnswered.shift()?.();
  }
  await until('all were answered', () => statuses(few.received).length === 90);
  const many = await RawClient.connect(t, port);
  many.write(get('X: y').repeat(200));
  await many.closed();
  t.same(statuses(many.received), []);
});
