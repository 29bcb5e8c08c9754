// The frames of RFC 6455, written as bytes. The close codes are those of its section 7.4; where the RFC leaves the choice, the
// server's choice is said in the title.

import t, { type Test } from 'tap';
import type { Application, Message, WebsocketDisconnect, WebsocketReceive } from '../../../channels/index.js';
import type { ServerOptions } from '../../../channels/server/index.js';
import {
  closePayload,
  type FrameOptions,
  frame,
  opcodes,
  readFrames,
  type ServerFrame,
} from '../../support/frames.js';
import { RawClient, startServer } from '../../support/protocol-server.js';
import { turns, until } from '../../support/until.js';

const { continuation, text, binary, close, ping, pong } = opcodes;

interface Frames {
  readonly received: Array<string | Buffer>;
  readonly ends: WebsocketDisconnect[];
  /** Opens a socket. */
  open(): Promise<FrameClient>;
  /** Sends these frames on a new socket; gives what came back until its end, and what the application received. */
  talk(...frames: Array<FrameOptions | Buffer>): Promise<Answer & { messages: Array<string | Buffer> }>;
}

interface Answer {
  readonly frames: ServerFrame[];
  /** Of the server's close frame; undefined when it sent none, 1005 when it has none. */
  readonly code: number | undefined;
  readonly pongs: string[];
}

const handshake =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

class FrameClient {
  readonly raw: RawClient;

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  write(...frames: Array<FrameOptions | Buffer>): void {
    for (const each of frames) this.raw.socket.write(Buffer.isBuffer(each) ? each : frame(each));
  }

  get frames(): ServerFrame[] {
    const { received } = this.raw;
    return readFrames(Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1'));
  }

  /** Waits for so many frames of the server. */
  async hasFrames(count: number): Promise<ServerFrame[]> {
    await until(`${count} frames came`, () => this.frames.length >= count || this.raw.isClosed);
    return this.frames;
  }

  /** Waits for the end. */
  async ended(): Promise<Answer> {
    await this.raw.closed();
    const { frames } = this;
    const last = frames.findIndex(({ opcode }) => opcode === close);
    const { payload } = frames[last] ?? {};
    if (last >= 0 && last < frames.length - 1)
      throw new Error('the server sent a frame behind its close frame');
    return {
      frames,
      code: payload === undefined ? undefined : payload.length < 2 ? 1005 : payload.readUInt16BE(),
      pongs: frames
        .filter(({ opcode }) => opcode === pong)
        .map(({ payload: data }) => data.toString('latin1')),
    };
  }
}

/** Serves an echo, and opens sockets to it. */
async function startFrames(t: Test, options: ServerOptions = {}): Promise<Frames> {
  const received: Array<string | Buffer> = [];
  const ends: WebsocketDisconnect[] = [];
  const application: Application = async (_scope, receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
    for (;;) {
      const message = await receive();
      if (message.type === 'websocket.disconnect') return void ends.push(message as WebsocketDisconnect);
      const { text, bytes } = message as WebsocketReceive;
      received.push(text ?? Buffer.from(bytes ?? ''));
      // A client that has said goodbye is told nothing more.
      await send({ type: 'websocket.send', text, bytes } as Message).catch(() => undefined);
    }
  };
  const { port } = await startServer(t, application, options);
  const open = async () => {
    const client = new FrameClient(await RawClient.connect(t, port));
    client.raw.socket.setNoDelay(true);
    client.raw.write(handshake);
    await client.raw.until(/\r\n\r\n/);
    return client;
  };
  const talk = async (...frames: Array<FrameOptions | Buffer>) => {
    received.length = 0;
    const count = ends.length;
    const client = await open();
    client.write(...frames);
    const answer = await client.ended();
    await until('the application was told', () => ends.length > count);
    return { ...answer, messages: [...received] };
  };
  return { received, ends, open, talk };
}

/** A close frame of a client that has had enough. */
const bye: FrameOptions = { opcode: close, payload: closePayload(1000) };

t.test('messages of every length come back as they were', async (t) => {
  const { open, received } = await startFrames(t);
  const client = await open();
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
  for (const [i, length] of lengths.entries()) {
    const payload = Buffer.alloc(length, 'x');
    client.write({ opcode: text, payload }, { opcode: binary, payload });
    const [asText, asBytes] = (await client.hasFrames(2 * i + 2)).slice(-2);
    t.ok(asText?.opcode === text && asText.payload.equals(payload), `${length} of text`);
    t.ok(asBytes?.opcode === binary && asBytes.payload.equals(payload), `${length} bytes`);
    t.ok(typeof received[2 * i] === 'string' && Buffer.isBuffer(received[2 * i + 1]));
  }
  client.write(bye);
  t.equal((await client.ended()).code, 1000);
});

t.test('a length in more bytes than it needs is taken; one with its highest bit set is not', async (t) => {
  const { talk } = await startFrames(t);
  for (const lengthBytes of [2, 8] as const) {
    const { messages, code } = await talk({ opcode: text, payload: 'Hello', lengthBytes }, bye);
    t.same([messages, code], [['Hello'], 1000], `5 in ${lengthBytes} bytes`);
  }
  const longer = await talk({ opcode: binary, payload: Buffer.alloc(300, 'x'), lengthBytes: 8 }, bye);
  t.equal(longer.messages[0]?.length, 300);
  for (const length of [2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 32n + 5n]) {
    const { code, messages } = await talk({ opcode: binary, length, payload: 'Hello' });
    t.same([code, messages], [1009, []], `the length ${length}`);
  }
  for (const opcode of [close, ping, pong])
    for (const lengthBytes of [2, 8] as const)
      t.equal(
        (await talk({ opcode, payload: closePayload(1000), lengthBytes })).code,
        1002,
        'a control frame',
      );
});

t.test('fragments are one message, however many and small they are', async (t) => {
  const { talk } = await startFrames(t);
  const content = 'Tere, õhtust! Šašlõkk 𝄞 ';
  const bytes = Buffer.from(content);
  for (let at = 0; at <= bytes.length; at++) {
    const { messages, code } = await talk(
      { opcode: text, payload: bytes.subarray(0, at), fin: false },
      { opcode: continuation, payload: bytes.subarray(at) },
      bye,
    );
    t.same([messages, code], [[content], 1000], `split at ${at}`);
  }
  const single = Array.from(bytes, (byte, i) => ({
    opcode: i === 0 ? text : continuation,
    payload: Buffer.from([byte]),
    fin: i === bytes.length - 1,
  }));
  t.same((await talk(...single, bye)).messages, [content]);
  const empty = (fin: boolean, opcode: number = continuation) => ({ opcode, fin });
  t.same((await talk(empty(false, binary), empty(false), empty(true), bye)).messages, [Buffer.alloc(0)]);
});

t.test('control frames between fragments are answered at once', async (t) => {
  const { open, received } = await startFrames(t);
  const client = await open();
  client.write({ opcode: text, payload: 'frag', fin: false }, { opcode: ping, payload: 'one' });
  t.match(await client.hasFrames(1), [{ opcode: pong }]);
  client.write({ opcode: pong, payload: 'not asked for' });
  client.write({ opcode: continuation, payload: 'ment', fin: false }, { opcode: ping, payload: '' });
  client.write({ opcode: ping, payload: Buffer.alloc(125, 0xff) });
  await client.hasFrames(3);
  client.write({ opcode: continuation, payload: 'ed' }, bye);
  const { pongs, code } = await client.ended();
  t.same([received, code], [['fragmented'], 1000]);
  t.same(pongs, ['one', '', '\xff'.repeat(125)]);
});

t.test('a frame may come byte by byte', async (t) => {
  const { open, received } = await startFrames(t);
  const client = await open();
  const all = Buffer.concat(
    [
      { opcode: text, payload: 'Hel', fin: false },
      { opcode: ping, payload: 'p' },
      { opcode: continuation, payload: 'lõ' },
      { opcode: binary, payload: Buffer.alloc(200, 7) },
      bye,
    ].map((each) => frame(each)),
  );
  for (const byte of all) {
    client.write(Buffer.from([byte]));
    await turns(1);
  }
  const { pongs, code } = await client.ended();
  t.same([received, pongs, code], [['Hellõ', Buffer.alloc(200, 7)], ['p'], 1000]);
});

t.test('frames that the protocol does not have close with 1002', async (t) => {
  const { talk, ends } = await startFrames(t);
  const wrong: Record<string, FrameOptions[]> = {
    'a continuation of nothing': [{ opcode: continuation, payload: 'x' }],
    'a continuation of a whole message': [
      { opcode: text, payload: 'x' },
      { opcode: continuation, payload: 'y' },
    ],
    'a message within another': [
      { opcode: text, payload: 'x', fin: false },
      { opcode: text, payload: 'y' },
    ],
    'bytes within a text': [
      { opcode: text, payload: 'x', fin: false },
      { opcode: binary, payload: 'y', fin: false },
    ],
    'a ping in fragments': [{ opcode: ping, payload: 'x', fin: false }],
    'a close in fragments': [{ opcode: close, payload: closePayload(1000), fin: false }],
    'a long ping': [{ opcode: ping, payload: Buffer.alloc(126) }],
    'a long pong': [{ opcode: pong, payload: Buffer.alloc(126) }],
    'a long close': [{ opcode: close, payload: closePayload(1000, 'x'.repeat(124)) }],
    'a text without a mask': [{ opcode: text, payload: 'x', isMasked: false }],
    'a ping without a mask': [{ opcode: ping, isMasked: false }],
    'a close without a mask': [{ ...bye, isMasked: false }],
    'a close of one byte': [{ opcode: close, payload: 'x' }],
  };
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    wrong[`the opcode ${opcode}`] = [{ opcode, payload: 'x' }];
  for (let reserved = 1; reserved < 8; reserved++)
    for (const opcode of [text, binary, ping, pong, close])
      wrong[`the bits ${reserved} of ${opcode}`] = [{ opcode, reserved, payload: closePayload(1000) }];
  for (let reserved = 1; reserved < 8; reserved++)
    wrong[`the bits ${reserved} of a continuation`] = [
      { opcode: text, payload: 'x', fin: false },
      { opcode: continuation, reserved },
    ];
  for (const [what, frames] of Object.entries(wrong)) {
    // What comes before is a message, what comes behind is none.
    const { code, messages } = await talk({ opcode: text, payload: 'first' }, ...frames, {
      opcode: text,
      payload: 'last',
    });
    t.equal(code, 1002, what);
    t.notOk(messages.includes('last'), what);
    t.equal(messages[0], 'first', what);
  }
  t.equal(ends.length, Object.keys(wrong).length);
});

t.test('text that is no UTF-8 closes with 1007, wherever its frames are split', async (t) => {
  const { talk } = await startFrames(t);
  const bad = [
    ...[
      '80',
      'bf',
      'c0',
      'c1',
      'f5',
      'ff',
      'fe',
      'c3',
      'e2 82',
      'f0 9d 84',
      'c3 28',
      'e2 28 a1',
      'f0 28 8c bc',
    ],
    ...[
      'c0 80',
      'c0 af',
      'e0 80 af',
      'f0 80 80 af',
      'c1 bf',
      'e0 9f bf',
      'f0 8f bf bf',
      'ed a0 80',
      'ed bf bf',
    ],
    ...[
      'ed a0 80 ed b0 80',
      'f4 90 80 80',
      'f8 88 80 80 80',
      'fc 84 80 80 80 80',
      'ce ba e1 bd b9 cf 83 ed a0 80 65',
    ],
  ].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  for (const bytes of bad) {
    const name = bytes.toString('hex');
    t.equal((await talk({ opcode: text, payload: bytes })).code, 1007, name);
    const within = Buffer.concat([Buffer.from('õ'), bytes, Buffer.from('x')]);
    for (let at = 0; at <= within.length; at++) {
      const { code, messages } = await talk(
        { opcode: text, payload: within.subarray(0, at), fin: false },
        { opcode: continuation, payload: within.subarray(at) },
      );
      t.same([code, messages], [1007, []], `${name} split at ${at}`);
    }
    t.same((await talk({ opcode: binary, payload: bytes }, bye)).messages, [bytes], 'bytes may be anything');
  }
  const good = [
    '\0',
    '\x7f',
    '\u0080',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\ufffd',
    '\ufffe',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  ];
  for (const content of good) {
    const bytes = Buffer.from(content);
    for (let at = 0; at <= bytes.length; at++) {
      const { messages } = await talk(
        { opcode: text, payload: bytes.subarray(0, at), fin: false },
        { opcode: continuation, payload: bytes.subarray(at) },
        bye,
      );
      t.same(messages, [content], `${bytes.toString('hex')} split at ${at}`);
    }
  }
});

t.test('a close frame is answered with its code; a code that may not be sent, with 1002', async (t) => {
  const { talk, ends } = await startFrames(t);
  const end = async (payload?: Buffer) => {
    ends.length = 0;
    const { code } = await talk(payload === undefined ? { opcode: close } : { opcode: close, payload });
    return { sent: code, told: ends[0]?.code, reason: ends[0]?.reason };
  };
  for (const code of [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])
    t.same(await end(closePayload(code, 'põhjus')), { sent: code, told: code, reason: 'põhjus' });
  t.same(await end(), { sent: 1005, told: 1005, reason: '' }, 'no code');
  t.same(await end(closePayload(1000, 'x'.repeat(123))), { sent: 1000, told: 1000, reason: 'x'.repeat(123) });
  for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535])
    t.match(await end(closePayload(code)), { sent: 1002, told: 1006 }, `the code ${code}`);
  for (const reason of ['80', 'c3', 'ed a0 80', 'f4 90 80 80'])
    t.match(
      await end(closePayload(1000, Buffer.from(reason.replaceAll(' ', ''), 'hex'))),
      { sent: 1007, told: 1006 },
      `the reason ${reason}`,
    );
});

t.test('what comes behind a close frame is not heard', async (t) => {
  const { talk, ends } = await startFrames(t);
  const { code, messages, pongs } = await talk(
    { opcode: text, payload: 'heard' },
    bye,
    { opcode: text, payload: 'more' },
    { opcode: ping, payload: 'more' },
    { opcode: close, payload: closePayload(4000) },
    Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
  );
  t.same([code, messages, pongs], [1000, ['heard'], []]);
  t.equal(ends[0]?.code, 1000);
});

t.test('a client that vanishes within a frame is told of as 1006', async (t) => {
  const { open, ends, received } = await startFrames(t);
  const whole = frame({ opcode: text, payload: 'x'.repeat(200) });
  for (let at = 0; at < 12; at++) {
    const client = await open();
    client.write(whole.subarray(0, at));
    client.raw.socket.end();
    await until('the application was told', () => ends.length === at + 1);
    t.equal(ends[at]?.code, 1006);
  }
  t.same(received, []);
});

t.test(
  'a message beyond the limit closes with 1009: in one frame before it is there, and in fragments',
  async (t) => {
    const { talk } = await startFrames(t, { limits: { maxMessageBytes: 1000 } });
    const exact = await talk({ opcode: binary, payload: Buffer.alloc(1000) }, bye);
    t.same([exact.messages[0]?.length, exact.code], [1000, 1000]);
    t.equal((await talk({ opcode: binary, length: 1001 })).code, 1009, 'its head is enough');
    const half = { payload: Buffer.alloc(500), fin: false };
    const two = await talk({ opcode: binary, ...half }, { opcode: continuation, ...half, fin: true }, bye);
    t.equal(two.messages[0]?.length, 1000);
    const three = await talk(
      { opcode: text, ...half },
      { opcode: continuation, ...half },
      { opcode: continuation, length: 1 },
    );
    t.equal(three.code, 1009);
  },
);

t.test('a message of more than 1024 fragments closes with 1008', async (t) => {
  const { talk } = await startFrames(t);
  const fragments = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      opcode: i === 0 ? binary : continuation,
      payload: i % 2 === 0 ? 'x' : '',
      fin: i === count - 1,
    }));
  t.equal((await talk(...fragments(1024), bye)).messages[0]?.length, 512);
  t.match(await talk(...fragments(1025), bye), { code: 1008, messages: [] });
});

t.test('a client that only pings, or answers what nobody asked, is closed with 1008', async (t) => {
  const { open } = await startFrames(t, { limits: { maxMessagesPerSecond: 50 } });
  for (const opcode of [ping, pong, text, binary]) {
    const flood = (count: number) => Buffer.concat(Array(count).fill(frame({ opcode, payload: 'x' })));
    const hasty = await open();
    hasty.write(flood(60));
    await until('the close frame came', () => hasty.frames.at(-1)?.opcode === close);
    t.ok(hasty.frames.length <= 52, `${hasty.frames.length} frames were sent`);
    hasty.write(bye);
    t.equal((await hasty.ended()).code, 1008, `the opcode ${opcode}`);
    const flooding = await open();
    flooding.write(flood(500));
    await flooding.raw.closed();
    t.pass('one that goes on is not asked for its close frame');
  }
});
