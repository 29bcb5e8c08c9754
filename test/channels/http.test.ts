import t, { type Test } from 'tap';
import {
  Consumer,
  type Handlers,
  HttpConsumer,
  InMemoryChannelLayer,
  type Message,
} from '../../channels/index.js';
import { RawClient, startServer } from '../support/protocol-server.js';
import { until } from '../support/until.js';

interface Tick extends Message {
  readonly type: 'tick.now';
  readonly n: number;
}

class Ticker extends HttpConsumer<Tick> implements Handlers<Tick> {
  override readonly groups = ['ticks'];
  override async handle() {
    await this.startEvents({ 'x-last': this.lastEventId ?? 'none' });
  }
  async tickNow({ n }: Tick) {
    await this.sendEvent({ data: `tick\n${n}`, id: `${n}`, event: 'tick', retryMs: 100 });
  }
}

class Echo extends HttpConsumer<never> {
  override readonly maxBodyBytes = 10;
  override async handle(body: Uint8Array) {
    await this.sendResponse(200, body, { 'content-type': 'text/plain' });
  }
}

async function request(t: Test, port: number, text: string): Promise<string> {
  const client = await RawClient.connect(t, port);
  client.write(text);
  return await client.closed();
}

t.test('handle gets the whole body and answers; a body that is too large is a 413', async (t) => {
  const { port } = await startServer(
    t,
    Consumer.application(() => new Echo()),
  );
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  const chunks = 'Transfer-Encoding: chunked\r\n\r\n2\r\nte\r\n2\r\nre\r\n0\r\n\r\n';
  t.match(await request(t, port, post + chunks), /200 OK\r\ncontent-type: text\/plain\r\n.*tere$/s);
  t.match(await request(t, port, `${post}Content-Length: 11\r\n\r\n12345678901`), /^HTTP\/1\.1 413 /);
});

async function startTicker(t: Test) {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const running = await startServer(
    t,
    Consumer.application(() => new Ticker({ layer })),
  );
  const client = await RawClient.connect(t, running.port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 6\r\n\r\n');
  const members = async () => (await layer.groups('ticks'))[0]?.members.length ?? 0;
  await until('it is a member', async () => (await members()) === 1);
  const tick = (n: number) => layer.groupSend('ticks', { type: 'tick.now', n } as Message);
  return { ...running, client, members, tick };
}

t.test('a stream has the events of the channel, and where the browser wants to go on', async (t) => {
  const { client, tick, members } = await startTicker(t);
  await tick(7);
  const text = await client.until(/data: 7\n\n/);
  t.match(text, /content-type: text\/event-stream\r\n.*x-last: 6\r\n/s);
  t.match(text, /event: tick\nid: 7\nretry: 100\ndata: tick\ndata: 7\n\n/);
  client.socket.destroy();
  await until('it is no member any more', async () => (await members()) === 0);
});

t.test('a stream ends when the server stops', async (t) => {
  const { client, server, events } = await startTicker(t);
  await server.close();
  t.match(await client.closed(), /0\r\n\r\n$/);
  t.same(
    events.filter(({ type }) => type !== 'request'),
    [],
  );
});
