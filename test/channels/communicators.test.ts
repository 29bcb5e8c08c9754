import t from 'tap';
import {
  type Application,
  Consumer,
  HttpConsumer,
  JsonWebsocketConsumer,
  type Message,
  type Scope,
} from '../../channels/index.js';
import { HttpCommunicator, LiveServer, WebsocketCommunicator } from '../../src/testing.js';
import { SocketClient } from '../support/protocol-server.js';
import { until } from '../support/until.js';

class Echo extends JsonWebsocketConsumer {
  override async connect() {
    if (this.scope.path === '/denied') await this.close(4003);
    else await this.accept('v1', [['x-a', 'b']]);
  }
  override async receiveJson(content: Message) {
    if (content.type === 'leave') await this.close();
    else await this.sendJson({ content, query: this.scope.queryString });
  }
}

class Upper extends HttpConsumer {
  override async handle(body: Uint8Array) {
    await this.sendHeaders({ status: 201, headers: [['x-method', String(this.scope.method)]] });
    await this.sendBody(Buffer.from(body).toString().toUpperCase(), { moreBody: true });
    await this.sendBody('!');
  }
}

const echo = Consumer.application(() => new Echo());

t.test('a socket is played: connect, messages, disconnect', async (t) => {
  const socket = new WebsocketCommunicator(echo, '/caf%C3%A9?a=b', { subprotocols: ['v1'] });
  t.same(await socket.connect(), { accepted: true, subprotocol: 'v1', headers: [['x-a', 'b']] });
  await socket.sendJsonTo({ type: 'hello' });
  t.same(await socket.receiveJsonFrom(), { content: { type: 'hello' }, query: 'a=b' });
  t.ok(await socket.receiveNothing(1));
  await socket.sendTo('{"type":"leave"}');
  await t.rejects(socket.receiveFrom(), { code: 'CHANNELS_ERR_UNEXPECTED_MESSAGE' });
  await socket.disconnect();
  const denied = new WebsocketCommunicator(echo, '/denied');
  t.same(await denied.connect(), { accepted: false, code: 4003 });
  await denied.disconnect();
});

t.test('a request is played, and its whole response is there', async (t) => {
  const upper = Consumer.application(() => new Upper());
  const { status, headers, body } = await new HttpCommunicator(upper, '/', {
    method: 'post',
    body: 'tere',
  }).getResponse();
  t.same([status, headers, String(body)], [201, [['x-method', 'POST']], 'TERE!']);
});

t.test('a scope has what the test puts there, and a path as a server reads it', async (t) => {
  const scopes: Scope[] = [];
  const application: Application = async (scope, receive, send) => {
    scopes.push(scope);
    await receive();
    await send({ type: 'websocket.accept' });
    await send({ type: 'websocket.send', bytes: Buffer.from('7') } as Message);
    await send({ type: 'websocket.send', text: '7', bytes: Buffer.from('7') } as Message);
  };
  const paths = ['/ä/%zz', '/%C3%A4/%zz?q=%20?'];
  for (const path of paths) {
    const socket = new WebsocketCommunicator(application, path, { scope: { user: 'mari' } });
    await socket.connect();
    const code = 'CHANNELS_ERR_UNEXPECTED_MESSAGE';
    await t.rejects(socket.receiveJsonFrom(), { code, message: /expected text of/ }, 'bytes are no JSON');
    await t.rejects(socket.receiveFrom(), { code, message: /either text or bytes/ });
  }
  t.match(scopes, [
    { path: '/ä/%zz', queryString: '', user: 'mari' },
    { path: '/ä/%zz', queryString: 'q=%20?', user: 'mari' },
  ]);
});

t.test('a request is sent once, however often its response is asked for', async (t) => {
  const bodies: unknown[] = [];
  let answer: (() => void) | undefined;
  const application: Application = async (_scope, receive, send) => {
    bodies.push(await receive());
    void receive().then((more) => bodies.push(more));
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    await send({ type: 'http.response.start', status: 204 } as Message);
    await send({ type: 'http.response.body' });
  };
  const call = new HttpCommunicator(application, '/');
  await t.rejects(call.getResponse(1), { code: 'CHANNELS_ERR_COMMUNICATOR_TIMEOUT' });
  const response = call.getResponse();
  await until('the application waits', () => answer !== undefined);
  answer?.();
  t.match(await response, { status: 204 });
  t.equal(bodies.length, 1);
});

t.test('a live server is there for real clients', async (t) => {
  const live = await LiveServer.start(echo);
  const client = await SocketClient.open(t, live.wsUrl, ['v1']);
  client.wire.send('{"type":"hi"}');
  t.same(await client.hasMessages(1), ['{"content":{"type":"hi"},"query":""}']);
  await live.close();
  await client.isClosed();
});
