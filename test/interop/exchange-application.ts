// The applications of daphne.test.ts in TypeScript; daphne_app.py says the same in Python.

import {
  AcceptConnection,
  type Application,
  type ChannelLayer,
  Consumer,
  type ConsumerOptions,
  cookies,
  cookiesOf,
  DenyConnection,
  type Handlers,
  HttpConsumer,
  JsonWebsocketConsumer,
  type Message,
  OriginValidator,
  ProtocolTypeRouter,
  path,
  rePath,
  type Scope,
  StopConsumer,
  URLRouter,
  WebsocketConsumer,
  type WebsocketScope,
} from '../../channels/index.js';

type Data = string | Uint8Array;

class Echo extends HttpConsumer {
  override async handle(body: Uint8Array) {
    await this.sendResponse(200, body.length === 0 ? 'nothing' : body);
  }
}

class Item extends HttpConsumer {
  override async handle() {
    await this.sendResponse(200, JSON.stringify(this.scope.urlRoute?.kwargs));
  }
}

class Cookies extends HttpConsumer {
  override async handle() {
    const sorted = Object.entries(cookiesOf(this.scope)).sort(([a], [b]) => (a < b ? -1 : 1));
    await this.sendResponse(200, JSON.stringify(Object.fromEntries(sorted)));
  }
}

class Status extends HttpConsumer {
  override async handle() {
    const status = Number(this.scope.urlRoute?.kwargs.status);
    await this.sendResponse(status, [204, 304].includes(status) ? '' : 'so it is');
  }
}

class Headers extends HttpConsumer {
  override async handle() {
    const headers = [
      ['X-Upper', 'A'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-latin', '\xe4'],
    ] as const;
    await this.sendResponse(201, 'made', headers);
  }
}

class HeaderMap extends HttpConsumer {
  override async handle() {
    await this.sendResponse(200, 'made', { 'x-one': '1', 'x-two': '2' });
  }
}

class Stream extends HttpConsumer {
  override async handle() {
    await this.sendHeaders({ headers: [['content-type', 'text/plain']] });
    for (const each of ['one ', '', 'two ']) await this.sendBody(each, { moreBody: true });
    await this.sendBody('three');
  }
}

class Large extends HttpConsumer {
  override async handle() {
    await this.sendHeaders();
    for (let n = 0; n < 20; n++) await this.sendBody('x'.repeat(50_000), { moreBody: n < 19 });
  }
}

class Length extends HttpConsumer {
  override async handle() {
    const length = this.scope.urlRoute?.kwargs.length ?? '';
    await this.sendHeaders({ headers: [['content-length', length]] });
    await this.sendBody('12345', { moreBody: true });
    await this.sendBody('67890');
  }
}

class Framed extends HttpConsumer {
  override async handle() {
    await this.sendResponse(200, 'framed', [['transfer-encoding', 'chunked']]);
  }
}

class Fails extends HttpConsumer {
  override handle() {
    throw new Error('lost its way');
  }
}

class FailsLate extends HttpConsumer {
  override async handle() {
    await this.sendHeaders();
    await this.sendBody('half', { moreBody: true });
    throw new Error('lost its way');
  }
}

const start = { type: 'http.response.start', status: 200, headers: [] };

/** An application that sends these messages once it has the request. */
function says(...messages: Message[]): Application {
  return async (_scope, receive, send) => {
    await receive();
    for (const message of messages) await send(message);
  };
}

function part(body: string, more_body = false): Message {
  return { type: 'http.response.body', body: Buffer.from(body), more_body } as Message;
}

const unread: Application = async (_scope, _receive, send) => {
  await send(start);
  await send(part('not read'));
};

/** Answers, and only then looks whether the client is there. */
const waits: Application = async (_scope, receive, send) => {
  await receive();
  await send(start);
  await send(part('answered'));
  await receive();
};

const longPoll: Application = async (_scope, receive) => {
  while ((await receive()).type !== 'http.disconnect');
};

const sendsAfter: Application = async (scope, receive, send) => {
  await longPoll(scope, receive, send);
  await send(start);
  await send(part('too late'));
};

class WsEcho extends WebsocketConsumer {
  override async receive(data: Data) {
    await this.send(data);
  }
}

class WsPlain extends WebsocketConsumer {}

class WsSubprotocol extends WebsocketConsumer {
  override async connect() {
    await this.accept((this.scope as WebsocketScope).subprotocols.at(-1));
  }
}

class WsStranger extends WebsocketConsumer {
  override async connect() {
    await this.accept('stranger');
  }
}

class WsHeaders extends WebsocketConsumer {
  override async connect() {
    await this.accept(undefined, [
      ['x-room', 'kitchen'],
      ['set-cookie', 'a=1'],
    ]);
  }
}

class WsDeny extends WebsocketConsumer {
  override async connect() {
    await this.close();
  }
}

class WsDenyCode extends WebsocketConsumer {
  override async connect() {
    await this.close(4003, 'no entry');
  }
}

class WsDenyThrown extends WebsocketConsumer {
  override async connect() {
    throw new DenyConnection();
  }
}

class WsAcceptThrown extends WebsocketConsumer {
  override async connect() {
    throw new AcceptConnection();
  }
}

class WsClose extends WebsocketConsumer {
  override async receive(data: Data) {
    const [, code = '', reason] = /^(\d*) ?(.*)$/.exec(String(data)) ?? [];
    if (code === '') await this.close();
    else await this.close(Number(code), reason);
  }
}

class WsSendAndClose extends WebsocketConsumer {
  override async connect() {
    await this.accept();
    await this.send('last');
    await this.close(4009);
  }
}

class WsFailsEarly extends WebsocketConsumer {
  override async connect() {
    throw new Error('lost its way');
  }
}

class WsFailsAccepted extends WebsocketConsumer {
  override async connect() {
    await this.accept();
    throw new Error('lost its way');
  }
}

class WsFailsReceiving extends WebsocketConsumer {
  override async receive() {
    await this.send('before');
    throw new Error('lost its way');
  }
}

class WsFailsLeaving extends WebsocketConsumer {
  override disconnect() {
    throw new Error('lost its way');
  }
}

class WsJson extends JsonWebsocketConsumer {
  override async receiveJson(content: unknown) {
    await this.sendJson({ echo: content });
  }
}

interface ChatMessage {
  readonly type: 'chat.message';
  readonly text: string;
}

class WsGroup extends WebsocketConsumer<ChatMessage> implements Handlers<ChatMessage> {
  override readonly groups = ['kitchen'];

  override async receive(data: Data) {
    if (data === 'leave') {
      await this.groupDiscard('kitchen');
      await this.send('left');
    } else await this.layer.groupSend('kitchen', { type: 'chat.message', text: data });
  }

  async chatMessage({ text }: ChatMessage) {
    await this.send(text);
  }
}

interface OwnNote {
  readonly type: 'own.note';
}

/** Sends its own channel what the client says as a type. */
class WsOwn extends WebsocketConsumer<OwnNote> implements Handlers<OwnNote> {
  override async receive(data: Data) {
    await this.layer.send(this.channelName ?? '', { type: String(data) });
  }

  async ownNote() {
    await this.send('noted');
  }
}

const accept = { type: 'websocket.accept' };

const wsDenial: Application = async (_scope, receive, send) => {
  await receive();
  const headers = [['x-why', 'closed']];
  await send({ type: 'websocket.http.response.start', status: 401, headers } as Message);
  const body = 'websocket.http.response.body';
  await send({ type: body, body: Buffer.from('log '), more_body: true } as Message);
  await send({ type: body, body: Buffer.from('in') } as Message);
  await receive();
};

/** An application that sends these messages, and then waits until the client leaves. */
function wsSays(...messages: object[]): Application {
  return async (_scope, receive, send) => {
    await receive();
    for (const message of messages) await send(message as Message);
    while ((await receive()).type !== 'websocket.disconnect');
  };
}

const wsReturns: Application = async (_scope, receive, send) => {
  await receive();
  await send(accept);
  await send({ type: 'websocket.send', text: 'good bye' } as Message);
};

const wsLeaves: Application = async (_scope, receive) => {
  await receive();
};

function text(content: string) {
  return { type: 'websocket.send', text: content };
}

const allowed = ['http://good.example', '.wild.example', 'https://port.example:8443', 'bare.example'];

/** What the records show of one application instance; as JSON, bytes are text, one character a byte. */
export interface InstanceRecord {
  readonly scope: unknown;
  readonly received: unknown[];
  readonly sent: unknown[];
  end?: 'returned' | 'raised';
}

/** The application; a connection with a header `X-Exchange` is recorded, and `GET /records?ID` shows the records. */
export function exchangeApplication(layer: ChannelLayer): Application {
  const of = (Class: new (options: ConsumerOptions) => Consumer<never> | Consumer) =>
    Consumer.application(() => new Class({ layer }) as Consumer);
  const http = URLRouter([
    path('item/:name/:number/', of(Item)),
    path('cookies', cookies(of(Cookies))),
    path('status/:status', of(Status)),
    path('headers', of(Headers)),
    path('header-map', of(HeaderMap)),
    path('stream', of(Stream)),
    path('large', of(Large)),
    path('length/:length', of(Length)),
    path('framed', of(Framed)),
    path('fails', of(Fails)),
    path('fails-late', of(FailsLate)),
    path('unread', unread),
    path('waits', waits),
    path('long-poll', longPoll),
    path('sends-after', sendsAfter),
    path('silent', says()),
    path('start-only', says(start)),
    path('start-twice', says(start, start)),
    path('body-first', says(part('early'))),
    path('body-after', says(start, part('all'), part('more'))),
    path('unknown-message', says({ type: 'http.response.dance' })),
    path('no-status', says({ type: 'http.response.start' }, part('x'))),
    path('text-body', says(start, { type: 'http.response.body', body: 'text' } as Message)),
    path('text-header', says({ ...start, headers: [['x-a', 1]] } as Message, part('x'))),
    path('header-newline', says({ ...start, headers: [['x-a', '1\r\nx-b: 2']] } as Message, part('x'))),
    rePath(/(?:echo.*|\*)?$/, of(Echo)),
  ]);
  const websocket = URLRouter([
    path('ws/echo', of(WsEcho)),
    rePath(/ws\/echo\/.*$/, of(WsEcho)),
    path('ws/plain', of(WsPlain)),
    path('ws/subprotocol', of(WsSubprotocol)),
    path('ws/stranger', of(WsStranger)),
    path('ws/headers', of(WsHeaders)),
    path('ws/deny', of(WsDeny)),
    path('ws/deny-code', of(WsDenyCode)),
    path('ws/deny-thrown', of(WsDenyThrown)),
    path('ws/accept-thrown', of(WsAcceptThrown)),
    path('ws/close', of(WsClose)),
    path('ws/send-and-close', of(WsSendAndClose)),
    path('ws/fails-early', of(WsFailsEarly)),
    path('ws/fails-accepted', of(WsFailsAccepted)),
    path('ws/fails-receiving', of(WsFailsReceiving)),
    path('ws/fails-leaving', of(WsFailsLeaving)),
    path('ws/json', of(WsJson)),
    path('ws/group', of(WsGroup)),
    path('ws/own', of(WsOwn)),
    path('ws/origin', OriginValidator(of(WsEcho), allowed)),
    path('ws/any-origin', OriginValidator(of(WsEcho), ['*'])),
    path('ws/denial', wsDenial),
    path('ws/returns', wsReturns),
    path('ws/leaves', wsLeaves),
    path('ws/leaves-not', wsSays()),
    path('ws/sends-first', wsSays(text('early'))),
    path('ws/accepts-twice', wsSays(accept, accept)),
    path('ws/sends-empty', wsSays(accept, text(''), text('after'))),
    path('ws/sends-both', wsSays(accept, { ...text('a'), bytes: Buffer.from('b') })),
    path('ws/sends-neither', wsSays(accept, { type: 'websocket.send' }, text('after'))),
    path('ws/sends-after', wsSays(accept, { type: 'websocket.close', code: 4000 }, text('late'))),
    path(
      'ws/closes-twice',
      wsSays(accept, ...[4000, 4001].map((code) => ({ type: 'websocket.close', code }))),
    ),
    path('ws/unknown-message', wsSays(accept, { type: 'websocket.dance' }, text('after'))),
    path('ws/no-type', wsSays(accept, { text: 'x' })),
  ]);
  return recorded(ProtocolTypeRouter({ http, websocket }));
}

/** Writes down what goes through an application. */
function recorded(application: Application): Application {
  const records = new Map<string, InstanceRecord[]>();
  return async (scope, receive, send) => {
    if (scope.path === '/records') {
      const body = JSON.stringify(records.get(String(scope.queryString)) ?? []);
      await send(start);
      return await send(part(body));
    }
    const id = exchangeOf(scope);
    if (id === undefined) return await application(scope, receive, send);
    const record: InstanceRecord = { scope: plain(scope), received: [], sent: [] };
    records.set(id, [...(records.get(id) ?? []), record]);
    const recordingReceive = async () => {
      const message = await receive();
      record.received.push(plain(message));
      return message;
    };
    const recordingSend = async <M extends Message>(message: M) => {
      const sent = record.sent.push(plain(message)) - 1;
      try {
        await send(message);
      } catch (error) {
        record.sent[sent] = { ...message, ...Object(plain(message)), refused: true };
        throw error;
      }
    };
    try {
      await application(scope, recordingReceive, recordingSend);
      record.end = 'returned';
    } catch (error) {
      record.end = error instanceof StopConsumer ? 'returned' : 'raised';
      throw error;
    }
  };
}

function exchangeOf(scope: Scope): string | undefined {
  if (!Array.isArray(scope.headers)) return undefined;
  return (scope.headers as WebsocketScope['headers']).find(([name]) => name === 'x-exchange')?.[1];
}

/** What JSON can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  // The abilities of the server are objects that live; their names do.
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      key === 'extensions' ? Object.fromEntries(Object.keys(each).map((name) => [name, {}])) : plain(each),
    ]),
  );
}
