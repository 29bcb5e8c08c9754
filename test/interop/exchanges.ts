// The exchanges of daphne.test.ts: what a client does, and what it saw. The paths are those of exchange-application.ts.

import { clientFrame, type WireClient, type WireResponse } from '../support/wire-client.js';
import type { InstanceRecord } from './exchange-application.js';

/** What an exchange can do with a server. */
export interface Call {
  /** A connection, closed when the exchange is over. */
  open(): Promise<WireClient>;
  /** The head of a request that is recorded; the first line without a version is HTTP/1.1. */
  head(line: string, ...headers: string[]): string;
  /** Waits until the application's records are so. */
  recorded(condition: (instances: InstanceRecord[]) => boolean): Promise<void>;
  /** Lets the server go through all that it does now and then: what it has not done afterwards, it does not do. */
  later(): Promise<void>;
}

type Exchange = (call: Call) => Promise<unknown>;

/** One request; then a second one shows whether the connection was kept. */
function once(line: string, headers: string[] = [], body = ''): Exchange {
  return async (call) => {
    const client = await call.open();
    client.write(call.head(line, ...headers) + body);
    return await answerOn(client, /^[A-Z]+/.exec(line)?.[0]);
  };
}

async function answerOn(client: WireClient, method?: string) {
  const response = await client.response(method);
  return { response, connection: await connectionOf(client, response) };
}

async function connectionOf(client: WireClient, response: WireResponse | undefined) {
  if (response === undefined || response.framing === 'close') return 'closed';
  client.write(plainRequest);
  return (await client.response()) === undefined ? 'closed' : 'kept';
}

const plainRequest = 'GET /unread HTTP/1.1\r\nHost: test\r\n\r\n';

/** Bytes that are a whole request already; `ID` stands for the header that records it. */
function raw(bytes: string): Exchange {
  return async (call) => {
    const client = await call.open();
    const [, id = ''] = /(X-Exchange: .*)\r\n\r\n/.exec(call.head('GET /')) ?? [];
    client.write(bytes.replace('ID', id));
    return await answerOn(client);
  };
}

/** The same where the answer may never come, or never end. */
function eventually(line: string): Exchange {
  return async (call) => {
    const client = await call.open();
    client.write(call.head(line));
    await call.recorded(([instance]) => instance?.end !== undefined);
    return await whatCame(call, client);
  };
}

async function whatCame(call: Call, client: WireClient) {
  await call.later();
  const connection = client.giveUp();
  return { response: (await client.response()) ?? 'no answer', connection };
}

const chunked = ['Transfer-Encoding: chunked'];

export const httpExchanges: Readonly<Record<string, Exchange>> = {
  get: once('GET /echo'),
  'get /': once('GET /'),
  post: once('POST /echo', ['Content-Length: 5'], 'hello'),
  put: once('PUT /echo', ['Content-Length: 5'], 'hello'),
  patch: once('PATCH /echo', ['Content-Length: 5'], 'hello'),
  delete: once('DELETE /echo'),
  options: once('OPTIONS /echo'),
  'options *': once('OPTIONS *'),
  head: once('HEAD /echo'),
  'head of a stream': once('HEAD /stream'),
  'unknown method': once('BREW /echo'),
  'method in lower case': once('get /echo'),
  query: once('GET /echo?a=1&b=%20x?y=%C3%A4'),
  'empty query': once('GET /echo?'),
  'encoded path': once('GET /echo/t%C3%A4/%2Fx%20y/+'),
  'path that is no utf-8': once('GET /echo/%ff%fe'),
  'malformed escapes': once('GET /echo/%zz/%1'),
  'double slash': once('GET //echo//x'),
  'dots in the path': once('GET /echo/../echo/./x'),
  'semicolon in the path': once('GET /echo;a=1/b'),
  'parameters in the path': once('GET /item/tea%20pot/7/'),
  fragment: once('GET /echo/a#b?c'),
  'absolute form': once('GET http://test/echo?x=1'),
  'absolute form with another host': once('GET http://other.example/echo?x=1'),
  'bytes in the path': once('GET /echo/\xc3\xa4'),
  'bytes in the query': once('GET /echo?\xc3\xa4'),
  'no route': once('GET /nowhere'),
  'duplicate headers': once('GET /echo', ['X-A: 1', 'X-B: 2', 'x-a: 3', 'Cookie: a=1', 'Cookie: b=2']),
  'spaces around a value': once('GET /echo', ['X-A: \t 1 \t ', 'X-B:']),
  'header beyond ascii': once('GET /echo', ['X-A: \xe4']),
  'header with an underscore': once('GET /echo', ['X_A: 1']),
  'header with 0b': once('GET /echo', ['X-A: 1\x0b2']),
  'header with 85': once('GET /echo', ['X-A: 1\x852']),
  'header with 01': once('GET /echo', ['X-A: 1\x012']),
  'header name with a space': once('GET /echo', ['X-A : 1']),
  'folded header': once('GET /echo', ['X-A: 1', ' 2']),
  'large header': once('GET /echo', [`X-A: ${'a'.repeat(20_000)}`]),
  'no host': raw('GET /echo HTTP/1.1\r\nID\r\n\r\n'),
  'two hosts': once('GET /echo', ['Host: other']),
  'bare line feeds': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /echo').replaceAll('\r\n', '\n'));
    return await whatCame(call, client);
  },
  'http/1.0': once('GET /echo HTTP/1.0'),
  'http/1.0 kept': once('GET /echo HTTP/1.0', ['Connection: keep-alive']),
  'http/1.0 stream': once('GET /stream HTTP/1.0'),
  'http/2.0 in the line': once('GET /echo HTTP/2.0'),
  'connection close': once('GET /echo', ['Connection: close']),
  'empty body': once('POST /echo', ['Content-Length: 0']),
  chunked: once('POST /echo', chunked, '3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
  'chunked with trailers': once('POST /echo', chunked, '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n'),
  'malformed chunk': once('POST /echo', chunked, 'zz\r\nabc\r\n0\r\n\r\n'),
  'chunk longer than it says': once('POST /echo', chunked, '2\r\nabc\r\n0\r\n\r\n'),
  'other transfer encoding': once('POST /echo', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'),
  'length and chunked': once('POST /echo', ['Content-Length: 5', ...chunked], '0\r\n\r\n'),
  'two lengths': once('POST /echo', ['Content-Length: 5', 'Content-Length: 6'], 'hello'),
  'length that is none': once('POST /echo', ['Content-Length: +5'], 'hello'),
  'large body': once('POST /echo', ['Content-Length: 300000'], 'ab'.repeat(150_000)),
  'body that is not read': once('POST /unread', ['Content-Length: 30000'], 'ab'.repeat(15_000)),
  'expect 100': async (call) => {
    const client = await call.open();
    client.write(call.head('POST /echo', 'Expect: 100-continue', 'Content-Length: 5'));
    const first = await client.response();
    client.write('hello');
    return { first, ...(await answerOn(client)) };
  },
  'expect 100, body not read': async (call) => {
    const client = await call.open();
    client.write(call.head('POST /unread', 'Expect: 100-continue', 'Content-Length: 5'));
    const first = await client.response();
    if (first?.status !== 100) return { first };
    client.write('hello');
    return { first, ...(await answerOn(client)) };
  },
  'expect something else': once('GET /echo', ['Expect: 200-ok']),
  'two requests': async (call) => {
    const client = await call.open();
    client.write(call.head('POST /echo', 'Content-Length: 1') + 1);
    const first = await client.response();
    client.write(call.head('POST /echo', 'Content-Length: 1') + 2);
    return { first, second: await client.response() };
  },
  pipelined: async (call) => {
    const client = await call.open();
    const heads = [1, 2, 3].map((n) => call.head('POST /echo', 'Content-Length: 1') + n);
    client.write(heads.join(''));
    return [await client.response(), await client.response(), await client.response()];
  },
  'byte by byte': async (call) => {
    const client = await call.open();
    for (const byte of call.head('GET /echo')) client.write(byte);
    return await answerOn(client);
  },
  'upgrade to h2c': once('GET /echo', ['Connection: Upgrade', 'Upgrade: h2c']),
  cookies: once('GET /cookies', ['Cookie: a=1; b="two"; c; a=3; d=x=y; e=%20']),
  'no cookies': once('GET /cookies'),
  'forwarded for': once('GET /echo', ['X-Forwarded-For: 192.0.2.1']),
  'forwarded for several': once('GET /echo', ['X-Forwarded-For: 192.0.2.1, 192.0.2.2']),
  'forwarded port': once('GET /echo', ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Port: 4711']),
  'forwarded proto': once('GET /echo', ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https']),
  'forwarded nonsense': once('GET /echo', ['X-Forwarded-For: nobody']),
  'root path header': once('GET /echo', ['Daphne-Root-Path: /app']),
  'status 204': once('GET /status/204'),
  'status 304': once('GET /status/304'),
  'status 404': once('GET /status/404'),
  'status 499': once('GET /status/499'),
  'response headers': once('GET /headers'),
  'response headers as a map': once('GET /header-map'),
  stream: once('GET /stream'),
  'large response': once('GET /large'),
  'right length': once('GET /length/10'),
  'length too large': eventually('GET /length/11'),
  'length too small': eventually('GET /length/9'),
  'transfer encoding of the application': once('GET /framed'),
  'application fails': once('GET /fails'),
  'application is silent': eventually('GET /silent'),
  'application only starts': eventually('GET /start-only'),
  'body before start': once('GET /body-first'),
  'body after the end': once('GET /body-after'),
  'unknown message': once('GET /unknown-message'),
  'number as a header': once('GET /text-header'),
  'line break in a header': once('GET /header-newline'),
  'receives after its answer': once('GET /waits'),
  'client leaves': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /long-poll'));
    await call.recorded(([instance]) => instance?.received.length === 1);
    client.destroy();
    await call.recorded(([instance]) => instance?.end !== undefined);
  },
  'client leaves, application sends': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /sends-after'));
    await call.recorded(([instance]) => instance?.received.length === 1);
    client.reset();
    await call.recorded(([instance]) => instance?.end !== undefined);
  },
  'client leaves within its body': async (call) => {
    const client = await call.open();
    client.write(`${call.head('POST /long-poll', 'Content-Length: 100')}half`);
    await call.later();
    client.destroy();
    await call.recorded((instances) => instances.every(({ end }) => end !== undefined));
  },
};

/** After each of these daphne answers no application that fails any more: they get one of their own. */
export const fatalExchanges: Readonly<Record<string, Exchange>> = {
  'application fails late': eventually('GET /fails-late'),
  'start twice': eventually('GET /start-twice'),
  'no status': eventually('GET /no-status'),
  'text as a body': eventually('GET /text-body'),
};

/** The headers of a WebSocket's handshake. */
export const handshake = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Asks for a WebSocket; then does this with it, if it was accepted. */
function socket(
  target: string,
  use: (client: WireClient, call: Call) => Promise<unknown> = leave,
  headers: string[] = [],
): Exchange {
  return async (call) => {
    const client = await call.open();
    client.write(call.head(`GET ${target}`, ...handshake, ...headers));
    const response = await client.response();
    return { response, outcome: response?.status === 101 ? await use(client, call) : 'denied' };
  };
}

async function leave(client: WireClient) {
  client.sendClose(1000);
  return await client.end();
}

/** Sends these messages, reads as many answers, and leaves. */
function says(...messages: Array<string | Uint8Array>) {
  return async (client: WireClient) => {
    const answers: string[] = [];
    for (const message of messages) client.send(typeof message === 'string' ? 1 : 2, message);
    while (answers.length < messages.length) answers.push(await client.message());
    return { answers, end: await leave(client) };
  };
}

/** Sends text, and waits for the server to close. */
function untilClosed(...messages: Array<string | Uint8Array>) {
  return async (client: WireClient) => {
    for (const message of messages) client.send(typeof message === 'string' ? 1 : 2, message);
    return await client.end();
  };
}

/** Writes bytes, and waits for the server to close. */
function frames(...each: Buffer[]) {
  return async (client: WireClient) => {
    client.write(Buffer.concat(each));
    return await client.end();
  };
}

const protocols = (list: string) => [`Sec-WebSocket-Protocol: ${list}`];
const origin = (value: string) => [`Origin: ${value}`];

export const socketExchanges: Readonly<Record<string, Exchange>> = {
  text: socket('/ws/echo', says('tere', 'õhtust 🌃')),
  bytes: socket('/ws/echo', says(Buffer.from([0, 255, 128]))),
  'empty text': socket('/ws/echo', async (client) => {
    client.send(1, '');
    client.send(1, 'after');
    const first = await client.message();
    return { first, end: await leave(client) };
  }),
  'empty bytes': socket('/ws/echo', async (client) => {
    client.send(2, '');
    client.send(1, 'after');
    const first = await client.message();
    return { first, end: await leave(client) };
  }),
  'messages in order': socket('/ws/echo', says(...Array.from({ length: 50 }, (_, n) => `${n}`))),
  fragments: socket('/ws/echo', async (client) => {
    client.send(1, 'on', false);
    client.send(9, 'between');
    client.send(0, 'e m', false);
    client.send(0, 'essage');
    return { pong: await client.message(), first: await client.message(), end: await leave(client) };
  }),
  'big message': socket('/ws/echo', says('b'.repeat(300_000))),
  'message of 1 MiB': socket('/ws/echo', says('b'.repeat(1_048_576))),
  'message beyond 1 MiB': socket('/ws/echo', untilClosed('b'.repeat(1_048_577))),
  ping: socket('/ws/echo', async (client) => {
    client.send(9, 'are you there');
    return { first: await client.message(), end: await leave(client) };
  }),
  'text that is no utf-8': socket('/ws/echo', frames(clientFrame(1, Buffer.from([0xff])))),
  'frame without a mask': socket('/ws/echo', frames(clientFrame(1, 'x', true, false))),
  'reserved opcode': socket('/ws/echo', frames(clientFrame(3, 'x'))),
  'reserved bit': socket('/ws/echo', frames(Buffer.from([0xc1, 0x80, 1, 2, 3, 4]))),
  'ping of 126 bytes': socket('/ws/echo', frames(clientFrame(9, 'p'.repeat(126)))),
  'close code 1004': socket('/ws/echo', frames(clientFrame(8, Buffer.from([3, 236])))),
  'close of one byte': socket('/ws/echo', frames(clientFrame(8, 'x'))),
  'frame with the handshake': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /ws/echo', ...handshake));
    client.send(1, 'early');
    const response = await client.response();
    await call.later();
    return { response, connection: client.giveUp(), first: await client.message() };
  },
  'consumer without methods': socket('/ws/plain', async (client) => {
    client.send(1, 'ignored');
    return await leave(client);
  }),
  'path and query': socket('/ws/echo/t%C3%A4/%2F?a=%20b&c', says('tere')),
  'duplicate headers': socket('/ws/echo', leave, ['X-A: 1', 'X-A: 2', 'Cookie: a=1', 'Cookie: b=2']),
  'header with an underscore': socket('/ws/echo', leave, ['X_A: 1']),
  'header with 0b': socket('/ws/echo', leave, ['X-A: 1\x0b2']),
  'forwarded for': socket('/ws/echo', leave, ['X-Forwarded-For: 192.0.2.1']),
  'forwarded proto': socket('/ws/echo', leave, ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https']),
  subprotocol: socket('/ws/subprotocol', leave, protocols('v1, v2')),
  'subprotocol, none chosen': socket('/ws/echo', leave, protocols('v1, v2')),
  'subprotocol, none offered': socket('/ws/subprotocol', leave),
  'subprotocol that was not offered': socket('/ws/stranger', leave, protocols('v1')),
  'subprotocol offered twice': socket('/ws/subprotocol', leave, protocols('v1, v1')),
  'headers on accept': socket('/ws/headers'),
  deny: socket('/ws/deny'),
  'deny with a code': socket('/ws/deny-code'),
  DenyConnection: socket('/ws/deny-thrown'),
  AcceptConnection: socket('/ws/accept-thrown'),
  'denial response': socket('/ws/denial'),
  'server closes': socket('/ws/close', untilClosed('')),
  'server closes with a code': socket('/ws/close', untilClosed('4001')),
  'server closes with a reason': socket('/ws/close', untilClosed('4001 enough of it')),
  'server closes with 1005': socket('/ws/close', untilClosed('1005')),
  'server closes with 999': socket('/ws/close', untilClosed('999')),
  'server closes with a long reason': socket('/ws/close', untilClosed(`4001 ${'r'.repeat(124)}`)),
  'send and close': socket('/ws/send-and-close', (client) => client.end()),
  'client closes with a reason': socket('/ws/echo', async (client) => {
    client.sendClose(4002, 'bye');
    return await client.end();
  }),
  'client closes without a code': socket('/ws/echo', async (client) => {
    client.sendClose();
    return await client.end();
  }),
  'client vanishes': socket('/ws/echo', async (client) => client.destroy()),
  'client is reset': socket('/ws/echo', async (client) => client.reset()),
  'client leaves before the accept': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /ws/leaves-not', ...handshake));
    await call.recorded(([instance]) => instance?.received.length === 1);
    client.destroy();
    await call.recorded(([instance]) => instance?.end !== undefined);
  },
  'no route': socket('/ws/nowhere'),
  'fails in connect': socket('/ws/fails-early'),
  'fails after accept': socket('/ws/fails-accepted', (client) => client.end()),
  'fails in receive': socket('/ws/fails-receiving', untilClosed('x')),
  'fails in disconnect': socket('/ws/fails-leaving'),
  json: socket('/ws/json', says('{"a":[1,null,"ä"]}', '7')),
  'json that is none': socket('/ws/json', untilClosed('[')),
  'bytes for json': socket('/ws/json', untilClosed(Buffer.from('{}'))),
  'empty text for json': socket('/ws/json', untilClosed('')),
  group: async (call) => {
    const clients = [await call.open(), await call.open()];
    const responses: unknown[] = [];
    for (const client of clients) {
      client.write(call.head('GET /ws/group', ...handshake));
      responses.push((await client.response())?.status);
    }
    const [first, second] = clients as [WireClient, WireClient];
    first.send(1, 'to both');
    const heard = [await first.message(), await second.message()];
    second.send(1, 'leave');
    heard.push(await second.message());
    first.send(1, 'to one');
    heard.push(await first.message());
    return { responses, heard, ends: [await leave(second), await leave(first)] };
  },
  'message of the own channel': socket('/ws/own', says('own.note')),
  'bad message of the own channel': socket('/ws/own', async (client, call) => {
    client.send(1, 'no.such');
    await call.later();
    client.send(1, 'own.note');
    return await client.message();
  }),
  'origin that is allowed': socket('/ws/origin', leave, origin('http://good.example')),
  'origin with another scheme': socket('/ws/origin', leave, origin('https://good.example')),
  'origin with another port': socket('/ws/origin', leave, origin('http://good.example:81')),
  'origin with the standard port': socket('/ws/origin', leave, origin('http://good.example:80')),
  'origin below a domain': socket('/ws/origin', leave, origin('https://a.b.wild.example:99')),
  'origin that is the domain': socket('/ws/origin', leave, origin('http://wild.example')),
  'origin that only ends so': socket('/ws/origin', leave, origin('http://notwild.example')),
  'origin with its port': socket('/ws/origin', leave, origin('https://port.example:8443')),
  'origin without its port': socket('/ws/origin', leave, origin('https://port.example')),
  'origin without a scheme in the pattern': socket('/ws/origin', leave, origin('http://bare.example:5')),
  'origin in upper case': socket('/ws/origin', leave, origin('HTTP://GOOD.example')),
  'origin null': socket('/ws/origin', leave, origin('null')),
  'no origin': socket('/ws/origin'),
  'other origin where any is allowed': socket('/ws/any-origin', leave, origin('http://evil.example')),
  'no origin where any is allowed': socket('/ws/any-origin'),
  'sends before accept': socket('/ws/sends-first', (client) => client.end()),
  'accepts twice': socket('/ws/accepts-twice', (client) => client.end()),
  'sends empty text': socket('/ws/sends-empty', async (client) => {
    const first = await client.message();
    return { first, end: await leave(client) };
  }),
  'sends text and bytes': socket('/ws/sends-both', (client) => client.end()),
  'sends neither': socket('/ws/sends-neither', async (client) => {
    return await client.message();
  }),
  'sends after its close': socket('/ws/sends-after', (client) => client.end()),
  'closes twice': socket('/ws/closes-twice', (client) => client.end()),
  'unknown message': socket('/ws/unknown-message', async (client) => {
    return await client.message();
  }),
  'returns after accept': socket('/ws/returns', async (client, call) => {
    const first = await client.message();
    await call.recorded(([instance]) => instance?.end !== undefined);
    await call.later();
    return { first, connection: client.giveUp(), next: await client.message() };
  }),
  'returns before accept': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /ws/leaves', ...handshake));
    await call.recorded(([instance]) => instance?.end !== undefined);
    return (await whatCame(call, client)).response;
  },
  'version 8': async (call) => {
    const client = await call.open();
    client.write(
      call.head('GET /ws/echo', ...handshake.filter((e) => !/Version/.test(e)), 'Sec-WebSocket-Version: 8'),
    );
    return await client.response();
  },
  'version 7': async (call) => {
    const client = await call.open();
    client.write(
      call.head('GET /ws/echo', ...handshake.filter((e) => !/Version/.test(e)), 'Sec-WebSocket-Version: 7'),
    );
    return await client.response();
  },
  'no key': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /ws/echo', ...handshake.filter((each) => !/Key/.test(each))));
    return await client.response();
  },
  'handshake by post': async (call) => {
    const client = await call.open();
    client.write(call.head('POST /ws/echo', ...handshake));
    return await client.response();
  },
  'upgrade without connection': async (call) => {
    const client = await call.open();
    client.write(call.head('GET /ws/echo', ...handshake.slice(1)));
    return await client.response();
  },
};
