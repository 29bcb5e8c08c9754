// A real Channels application: its own runworker with a consumer, and our Worker with one, on one Redis.

import t, { type Test } from 'tap';
import {
  Consumer,
  type Received,
  RedisChannelLayer,
  Worker,
  type WorkerEvent,
} from '../../channels/index.js';
import { DjangoWorker, Partner } from '../support/partner.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const server = await RedisServer.start(t);
/** The channels of both workers are named after their languages. */
const languages = ['python', 'node'] as const;
type Language = (typeof languages)[number];
/** So long an answer may take on a busy machine, the start of a Python process included. */
const patienceMs = 30_000;
/** Within that, a request that a failing Python worker may have lost is repeated. */
const repeatMs = 500;
let prefixes = 0;

/** Both workers on an empty prefix, and a channel of the test's own for answers. */
async function start(t: Test) {
  const prefix = `django${++prefixes}:`;
  const open = () => {
    const layer = new RedisChannelLayer({ hosts: [server.url], prefix, capacity: 1000 });
    t.teardown(() => layer.close());
    return layer;
  };
  const [layer, nodeLayer] = [open(), open()];
  const django = DjangoWorker.start(t, server.url, prefix);
  const events: WorkerEvent[] = [];
  const worker = new Worker({
    application: Consumer.application(() => new Partner({ layer: nodeLayer, ownChannel: true })),
    layer: nodeLayer,
    channels: ['node'],
    onEvent: (event) => events.push(event),
  });
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  t.teardown(() => {
    stop.abort();
    return running;
  });
  const answers = new Answers(layer, await layer.newChannel(), django);
  return { layer, django, worker, events, answers };
}

/** Asks, and waits for what is answered. */
class Answers {
  readonly channel: string;
  readonly #layer: RedisChannelLayer;
  readonly #django: DjangoWorker;
  #ids = 0;

  constructor(layer: RedisChannelLayer, channel: string, django: DjangoWorker) {
    this.#layer = layer;
    this.channel = channel;
    this.#django = django;
  }

  /** Sends a request and waits for so many answers to it, sorted by who gave them. */
  async ask(to: Language, type: string, fields: object = {}, count = 1): Promise<Received[]> {
    const answers = await this.#asked(to, type, fields, count, patienceMs);
    if (answers.length === count) return answers.sort((a, b) => (String(a.at) < String(b.at) ? -1 : 1));
    throw new Error(
      `${answers.length} answers of ${to} to ${type} instead of ${count}:\n${this.#django.errors}`,
    );
  }

  /** The same for a worker that may lose a message: asks again until it is answered. */
  async askAgainAndAgain(to: Language, type: string, fields: object = {}): Promise<Received> {
    const giveUpAt = performance.now() + patienceMs;
    while (performance.now() < giveUpAt) {
      const [answer] = await this.#asked(to, type, fields, 1, repeatMs);
      if (answer !== undefined) return answer;
    }
    throw new Error(`no answer of ${to} to ${type}:\n${this.#django.errors}`);
  }

  async #asked(to: Language, type: string, fields: object, count: number, waitMs: number) {
    const id = ++this.#ids;
    const { channel } = this;
    await this.#layer.send(to, { type, ...{ id, reply_channel: channel, report_to: channel }, ...fields });
    const answers: Received[] = [];
    const giveUpAt = performance.now() + waitMs;
    while (answers.length < count && performance.now() < giveUpAt) {
      const leftMs = Math.max(1, giveUpAt - performance.now());
      const more = await this.#layer.receiveMany(channel, { waitMs: leftMs });
      // Those to an earlier request, which came too late, are not counted.
      answers.push(...more.filter((answer) => answer.id === id));
    }
    return answers;
  }
}

function other(language: Language): Language {
  return language === 'python' ? 'node' : 'python';
}

t.test('either worker answers on the reply channel of who asks', async (t) => {
  const { answers } = await start(t);
  for (const language of languages)
    for (const numbers of [
      [1, 2, 3],
      [2 ** 40, -1],
      [0.5, 0.25],
    ]) {
      const [answer] = await answers.ask(language, 'sum.request', { numbers });
      const total = numbers.reduce((sum, number) => sum + number, 0);
      t.match(answer, { type: 'sum.reply', total, by: language });
    }
});

t.test("either worker calls the other and is answered on its consumer's own channel", async (t) => {
  const { answers } = await start(t);
  for (let n = 0; n < 5; n++)
    for (const language of languages) {
      const fields = { numbers: [n, 10], to: other(language) };
      const [answer] = await answers.ask(language, 'sum.delegate', fields);
      t.match(answer, { of: 'sum.reply', at: language, by: other(language), total: n + 10 });
    }
});

t.test('calls in both directions cross, and each answer goes where it belongs', async (t) => {
  const { layer, answers } = await start(t);
  const count = 200;
  const sends = Array.from({ length: count }, (_, id) => {
    const [to, from] = id % 2 === 0 ? (['python', 'node'] as const) : (['node', 'python'] as const);
    const fields = { id, numbers: [id, 1], to, report_to: answers.channel };
    return layer.send(from, { type: 'sum.delegate', ...fields });
  });
  await Promise.all(sends);
  const totals = new Map<unknown, unknown>();
  while (totals.size < count) {
    const more = await layer.receiveMany(answers.channel, { waitMs: patienceMs });
    if (more.length === 0) break;
    for (const { id, total } of more) totals.set(id, total);
  }
  t.same(
    Array.from({ length: count }, (_, id) => totals.get(id)),
    Array.from({ length: count }, (_, id) => id + 1),
  );
});

t.test('a group has consumers of both workers as members, and either tells it', async (t) => {
  const { answers } = await start(t);
  const group = 'both';
  for (const language of languages)
    t.match(await answers.ask(language, 'group.join', { group }), [{ of: 'group.join', at: language }]);
  for (const language of languages) {
    const heard = await answers.ask(language, 'group.tell', { group }, 2);
    const event = { of: 'group.event', by: language };
    t.match(heard, [
      { ...event, at: 'node' },
      { ...event, at: 'python' },
    ]);
  }
  await answers.ask('python', 'group.leave', { group });
  t.match(await answers.ask('python', 'group.tell', { group }), [{ by: 'python', at: 'node' }]);
  await answers.ask('node', 'group.leave', { group });
  await answers.ask('python', 'group.join', { group });
  t.match(await answers.ask('node', 'group.tell', { group }), [{ by: 'node', at: 'python' }]);
});

t.test("a handler of ours that throws leaves Python's worker alone, and ours goes on", async (t) => {
  const { layer, django, events, answers } = await start(t);
  await answers.ask('python', 'sum.request', { numbers: [1] });
  for (let n = 0; n < 3; n++) {
    await layer.send('node', { type: 'break.down' });
    await layer.send('node', { type: 'no.such.type' });
    for (const language of languages)
      t.match(await answers.ask(language, 'sum.delegate', { numbers: [n], to: other(language) }), [
        { by: other(language), total: n },
      ]);
  }
  const failures = events.filter(({ type }) => type === 'handlerFailed');
  t.match(failures, Array(3).fill({ channel: 'node', error: { message: 'broke down as it was asked to' } }));
  t.equal(events.filter(({ type }) => type === 'unknownType').length, 3);
  t.ok(django.isRunning);
  t.notMatch(django.errors, /ERROR|Traceback/, 'Python has nothing to say about it');
});

t.test("a handler of Python's that throws leaves ours alone, and Python's goes on", async (t) => {
  const { layer, django, events, answers } = await start(t);
  await answers.ask('python', 'sum.request', { numbers: [1] });
  await layer.send('python', { type: 'break.down' });
  t.match(await answers.ask('node', 'sum.request', { numbers: [1, 1] }), [{ by: 'node', total: 2 }]);
  // Python loses what comes in the first tenth of a second after a failure (W11).
  const delegated = { numbers: [2, 3], to: 'node' };
  t.match(await answers.askAgainAndAgain('python', 'sum.delegate', delegated), { by: 'node', total: 5 });
  t.match(await answers.ask('node', 'sum.delegate', { numbers: [4], to: 'python' }), [
    { by: 'python', total: 4 },
  ]);
  t.match(django.errors, /broke down as it was asked to/);
  t.ok(django.isRunning);
  t.same(
    events.map(({ type }) => type).filter((type) => type !== 'listening'),
    [],
  );
});

t.test('what ours sends while Python is away waits for it, and the other way round', async (t) => {
  const { layer, django, answers } = await start(t);
  await answers.ask('python', 'sum.request', { numbers: [1] });
  await django.end();
  const raw = server.client(t);
  const connections = async () => String(await raw.client('LIST'));
  await until('its connections are gone', async () => !(await connections()).includes('redis-py'));
  const waiting = answers.ask('python', 'sum.delegate', { numbers: [7], to: 'node' });
  // A new process, as after a deployment.
  const prefix = `django${prefixes}:`;
  DjangoWorker.start(t, server.url, prefix);
  t.match(await waiting, [{ by: 'node', total: 7 }]);
  await layer.send('late', {
    type: 'sum.request',
    ...{ id: 0, numbers: [8], reply_channel: answers.channel },
  });
  const stop = new AbortController();
  const late = new Worker({
    application: Consumer.application(() => new Partner({ layer, ownChannel: true })),
    layer,
    channels: ['late'],
  });
  const running = late.run(stop.signal);
  t.match(await layer.receive(answers.channel), { by: 'node', total: 8 });
  stop.abort();
  await running;
});
