import t, { type Test } from 'tap';
import {
  AcceptConnection,
  Consumer,
  DenyConnection,
  type HandledTypes,
  type Handlers,
  InMemoryChannelLayer,
  JsonWebsocketConsumer,
  type Message,
  type SocketData,
  WebsocketConsumer,
} from '../../channels/index.js';
import { type RunningServer, SocketClient, startServer } from '../support/protocol-server.js';
import { until } from '../support/until.js';

interface Said extends Message {
  readonly type: 'chat.said';
  readonly text: string;
}

class Chat extends WebsocketConsumer<Said> implements Handlers<Said> {
  override readonly groups = ['chat'];
  readonly ends: string[] = [];

  override async receive(data: SocketData) {
    if (data === 'fail') throw new Error('lost its way');
    if (data === 'leave') return await this.close(4000, 'as you wish');
    await this.layer.groupSend('chat', { type: 'chat.said', text: String(data) });
  }

  async chatSaid({ text }: Said) {
    await this.send(text);
  }
}

async function startChat(
  t: Test,
  make: (layer: InMemoryChannelLayer) => Consumer<never> | Consumer<Said>,
): Promise<RunningServer & { layer: InMemoryChannelLayer }> {
  const layer = new InMemoryChannelLayer({ capacity: 100 });
  t.teardown(() => layer.close());
  const application = Consumer.application<Message>(() => make(layer) as Consumer<Message>);
  return { layer, ...(await startServer(t, application)) };
}

const members = async (layer: InMemoryChannelLayer, group: string) =>
  (await layer.groups(group))[0]?.members.length ?? 0;

t.test('what one client says in a group, all of it get; who leaves is no member any more', async (t) => {
  const { layer, wsUrl, server } = await startChat(t, (layer) => new Chat({ layer }));
  const a = await SocketClient.open(t, wsUrl);
  const b = await SocketClient.open(t, wsUrl);
  await until('both are members', async () => (await members(layer, 'chat')) === 2);
  t.match(server.sockets(), [{ groups: ['chat'] }, { groups: ['chat'] }]);
  a.wire.send('tere');
  t.same(await a.hasMessages(1), ['tere']);
  t.same(await b.hasMessages(1), ['tere']);
  b.wire.close();
  await until('one is a member', async () => (await members(layer, 'chat')) === 1);
});

t.test(
  'a consumer that fails closes with 1011 and leaves its groups; a bad message is only reported',
  async (t) => {
    const { layer, wsUrl, events } = await startChat(t, (layer) => new Chat({ layer }));
    const client = await SocketClient.open(t, wsUrl);
    await until('it is a member', async () => (await members(layer, 'chat')) === 1);
    for (const type of ['chat.unknown', 'websocket.disconnect', 'receive', 'groupAdd', 'close'])
      await layer.groupSend('chat', { type });
    await layer.groupSend('chat', { type: 'chat.said', text: 'still here' } as Message);
    t.same(await client.hasMessages(1), ['still here']);
    t.equal(events.filter(({ type }) => type === 'badMessage').length, 5);
    client.wire.send('fail');
    t.equal((await client.isClosed()).code, 1011);
    await until('it is no member', async () => (await members(layer, 'chat')) === 0);
    t.match(
      events.filter(({ type }) => type === 'applicationFailed'),
      [{ error: { message: 'lost its way' } }],
    );
  },
);

t.test('a consumer closes with a code and a reason, behind what it sent', async (t) => {
  const { wsUrl } = await startChat(t, (layer) => new Chat({ layer }));
  const client = await SocketClient.open(t, wsUrl);
  client.wire.send('leave');
  t.same(await client.isClosed(), { code: 4000, reason: 'as you wish' });
});

t.test('connect accepts or denies, also from within, and tells of the end', async (t) => {
  const ends: number[] = [];
  class Door extends WebsocketConsumer<never> {
    override async connect() {
      if (this.scope.path === '/accept') throw new AcceptConnection();
      if (this.scope.path === '/deny') throw new DenyConnection();
      await this.accept('v1', [['x-door', 'open']]);
      await this.send('in');
    }
    override disconnect(code: number) {
      ends.push(code);
    }
  }
  const { wsUrl } = await startChat(t, () => new Door());
  (await SocketClient.open(t, `${wsUrl}/accept`)).wire.close(4001);
  t.equal(await new SocketClient(t, `${wsUrl}/deny`).isDenied(), 403);
  const client = await SocketClient.open(t, `${wsUrl}/else`, ['v1']);
  t.equal(client.headers['x-door'], 'open');
  t.same(await client.hasMessages(1), ['in']);
  await until('both ends were told', () => ends.length === 2);
  t.same(ends.sort(), [1006, 4001]);
});

t.test('messages of client and channel are handled one at a time, and neither waits for ever', async (t) => {
  let running = 0;
  const handled = { client: 0, channel: 0 };
  class Turns extends WebsocketConsumer<Said> implements Handlers<Said> {
    override readonly groups = ['turns'];
    override receive() {
      return this.#handle('client');
    }
    chatSaid() {
      return this.#handle('channel');
    }
    async #handle(source: 'client' | 'channel') {
      t.equal(++running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      handled[source]++;
    }
  }
  const { layer, wsUrl } = await startChat(t, (layer) => new Turns({ layer }));
  const client = await SocketClient.open(t, wsUrl);
  for (let i = 0; i < 50; i++) {
    client.wire.send('x');
    await layer.groupSend('turns', { type: 'chat.said', text: 'y' } as Message);
  }
  await until('all were handled', () => handled.client === 50 && handled.channel === 50);
});

interface Say extends Message {
  readonly type: 'say';
  readonly text: string;
}

t.test('JSON is parsed and checked; a client that sends something else is closed with 1007', async (t) => {
  class Json extends JsonWebsocketConsumer<never, Say> {
    override readonly receives: HandledTypes<Say> = {
      say: ({ text }) => {
        if (typeof text !== 'string') throw new Error('expected text');
        return { type: 'say', text };
      },
    };
    override async receiveJson({ text }: Say) {
      await this.sendJson({ echo: text });
    }
  }
  const { wsUrl } = await startChat(t, () => new Json());
  const client = await SocketClient.open(t, wsUrl);
  client.wire.send('{"type":"say","text":"tere"}');
  t.same(await client.hasMessages(1), ['{"echo":"tere"}']);
  for (const bad of ['no json', '[]', '{"type":"toString"}', '{"type":"say","text":1}', Buffer.from('{}')]) {
    const other = await SocketClient.open(t, wsUrl);
    other.wire.send(bad);
    t.equal((await other.isClosed()).code, 1007, String(bad));
  }
});

t.test('a consumer may read and write its own kind of JSON', async (t) => {
  class Dates extends JsonWebsocketConsumer {
    override async receiveJson(content: unknown) {
      await this.sendJson(content);
    }
    protected override encodeJson(content: unknown) {
      return content instanceof Date ? `"${content.getUTCFullYear()}"` : super.encodeJson(content);
    }
    protected override decodeJson(text: string) {
      return new Date(String(super.decodeJson(text)));
    }
  }
  const { wsUrl } = await startChat(t, () => new Dates());
  const client = await SocketClient.open(t, wsUrl);
  client.wire.send('"2026-12-01T00:00:00Z"');
  t.same(await client.hasMessages(1), ['"2026"']);
});

t.test('a close that no frame can carry is refused at once', async (t) => {
  class Closes extends WebsocketConsumer {
    override async receive(data: string | Uint8Array) {
      const [code, length] = String(data).split(' ').map(Number);
      await this.close(code, 'r'.repeat(length ?? 0));
    }
  }
  const { wsUrl } = await startChat(t, () => new Closes());
  for (const [data, code] of [
    ['1000 123', 1000],
    ['1014 0', 1014],
    ['4999 0', 4999],
    ['1000 124', 1011],
    ['999 0', 1011],
    ['1005 0', 1011],
    ['1015 0', 1011],
    ['2000 0', 1011],
    ['5000 0', 1011],
  ] as const) {
    const client = await SocketClient.open(t, wsUrl);
    client.wire.send(data);
    t.equal((await client.isClosed()).code, code, data);
  }
});
