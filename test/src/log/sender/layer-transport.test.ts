import t, { type Test } from 'tap';
import {
  type ChannelLayer,
  InMemoryChannelLayer,
  InvalidMessageError,
  LayerUnavailableError,
  type Message,
} from '../../../../channels/index.js';
import type { LogAnswer } from '../../../../src/log/messages.js';
import { LayerTransport } from '../../../../src/log/sender/layer-transport.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { batchOf } from '../../../support/log.js';
import { turns, until } from '../../../support/until.js';

const channel = 'linod_mysite.log';

/** One that has no bytes, as with the JSON serializer. */
class TextLayer extends InMemoryChannelLayer {
  override async send<M extends Message>(name: string, message: M): Promise<void> {
    if ('bytes' in message && message.bytes instanceof Uint8Array) throw new InvalidMessageError('no bytes');
    await super.send(name, message);
  }
}

function setUp(t: Test, layer: ChannelLayer = new InMemoryChannelLayer(), failures = 0) {
  const clock = new ManualClock();
  let opened = 0;
  const transport = new LayerTransport({
    open: async () => {
      if (++opened <= failures) throw new LayerUnavailableError('away');
      return layer;
    },
    ownsLayer: false,
    channel,
    clock,
    suspendAfterMs: 500,
  });
  t.teardown(() => transport.close());
  const answers: LogAnswer[] = [];
  transport.listen((answer) => answers.push(answer));
  const message = batchOf({ numbers: [1] });
  return { layer, clock, transport, answers, message, opened: () => opened };
}

t.test('the layer is opened with the first message, which says where answers go', async (t) => {
  const { layer, transport, answers, message, opened } = setUp(t);
  t.equal(opened(), 0);
  await transport.deliver(message);
  const received = await layer.receive(channel);
  t.match(received, { type: 'log.records', sender: 'web[812]', first: 1, reply_channel: /^log\..*!/ });
  const answer = { type: 'log.ack' as const, sender: 'web[812]', epoch: 'e1', last: 1 };
  await layer.send(String(received.reply_channel), { type: 'nonsense' });
  await layer.send(String(received.reply_channel), answer);
  await until('the answer is there', () => answers.length > 0);
  t.strictSame(answers, [answer]);
});

t.test('without messages it rests, and opens the layer anew for the next', async (t) => {
  const { layer, transport, message, clock, opened } = setUp(t);
  await transport.deliver(message);
  clock.advance(499);
  await transport.deliver(message);
  clock.advance(500);
  await turns();
  t.equal(opened(), 1);
  await transport.deliver(message);
  t.equal(opened(), 2);
  t.ok(layer);
});

t.test('it does not rest while the layer is being opened, however long that takes', async (t) => {
  let go: () => void = () => {};
  const slow = new Promise<void>((resolve) => {
    go = resolve;
  });
  const layer = new InMemoryChannelLayer();
  const clock = new ManualClock();
  let opened = 0;
  const open = async () => {
    opened++;
    await slow;
    return layer;
  };
  const transport = new LayerTransport({ open, ownsLayer: false, channel, clock, suspendAfterMs: 500 });
  const message = batchOf({ numbers: [1] });
  const delivered = transport.deliver(message);
  clock.advance(600);
  await turns();
  go();
  await delivered;
  await transport.deliver(message);
  t.equal(opened, 1, 'else the first message would have been sent on a layer that is being closed');
  clock.advance(500);
  await turns();
  await transport.deliver(message);
  t.equal(opened, 2, 'it rests when all is sent');
  await transport.close();
});

t.test('a layer that cannot be opened is tried again with the next message', async (t) => {
  const { transport, message, opened } = setUp(t, new InMemoryChannelLayer(), 1);
  await t.rejects(transport.deliver(message), { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' });
  await transport.deliver(message);
  t.equal(opened(), 2);
});

t.test('a layer without bytes gets text', async (t) => {
  const { layer, transport, message } = setUp(t, new TextLayer());
  await transport.deliver(message);
  t.match(await layer.receive(channel), { bytes: Buffer.from(message.bytes).toString() });
});

t.test('close may be called twice, and nothing is sent afterwards', async (t) => {
  const { transport, message } = setUp(t);
  await transport.deliver(message);
  await Promise.all([transport.close(), transport.close()]);
  await t.rejects(transport.deliver(message), { code: 'CHANNELS_ERR_LAYER_CLOSED' });
});

t.test('a layer that is opened while an earlier attempt fails is closed with the transport', async (t) => {
  const layers: InMemoryChannelLayer[] = [];
  const attempts: Array<(isThere: boolean) => void> = [];
  const closed: InMemoryChannelLayer[] = [];
  const transport = new LayerTransport({
    open: async () => {
      const isThere = await new Promise<boolean>((resolve) => attempts.push(resolve));
      if (!isThere) throw new LayerUnavailableError('away');
      const layer = new InMemoryChannelLayer();
      const close = layer.close.bind(layer);
      layer.close = async () => {
        closed.push(layer);
        await close();
      };
      layers.push(layer);
      return layer;
    },
    ownsLayer: true,
    channel,
    clock: new ManualClock(),
  });
  const message = batchOf({ numbers: [1] });
  const first = transport.deliver(message);
  const rested = transport.suspend();
  const second = transport.deliver(message);
  await until('both attempts have begun', () => attempts.length === 2);
  attempts[1]?.(true);
  await second;
  attempts[0]?.(false);
  await t.rejects(first, LayerUnavailableError);
  await rested;
  await transport.close();
  t.same(closed.length, 1);
  t.equal(closed[0], layers[0]);
});
