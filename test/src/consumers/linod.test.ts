import t, { type Test } from 'tap';
import { Consumer, InMemoryChannelLayer } from '../../../channels/index.js';
import { ApplicationCommunicator } from '../../../channels/testing.js';
import { UsageError } from '../../../src/base/errors.js';
import { LinodConsumer, type LinodServices } from '../../../src/consumers/linod.js';
import { UnknownRuleError } from '../../../src/rules/find-rule.js';

function open(t: Test) {
  const calls: unknown[][] = [];
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const services: LinodServices = {
    workerId: 'w1',
    async startTasks(by) {
      calls.push(['startTasks', by]);
      return { already: calls.length > 1 };
    },
    async startLogger(by) {
      calls.push(['startLogger', by]);
      return { already: false };
    },
    status: async () => ['Job rule #1 …'],
    async request(action, rule, by, args) {
      if (rule === 'nobody') throw new UnknownRuleError(rule, 'no such rule');
      calls.push(['request', action, rule, by, ...(args === undefined ? [] : [args])]);
      return 7;
    },
    async requested(request) {
      if (request !== 7) throw new UsageError('no such request');
      return { request, over: false, outcome: null, job: null };
    },
    async push(order, by) {
      calls.push(['push', order, by]);
      if (order.topic === 'a b') throw new UsageError('no such topic');
      return { id: 5, deliveries: 2 };
    },
    wake: () => calls.push(['wake']),
    obey: () => calls.push(['obey']),
    report: () => ({ tasks: 'running' }),
    takeLevels: (levels: readonly unknown[]) => calls.push(['takeLevels', levels]),
    record: (record) => calls.push(['record', record.name, record.message]),
  };
  const application = Consumer.application(() => new LinodConsumer(layer, services));
  const communicator = new ApplicationCommunicator(application, { type: 'channel', channel: 'linod_test' });
  return { calls, layer, communicator };
}

t.test('a start message starts a coroutine, and the answer says whether it was running before', async (t) => {
  const { calls, layer, communicator } = open(t);
  const reply = await layer.newChannel();
  for (const type of ['run.system.tasks', 'run.background.tasks', 'run.schedule', 'log.server']) {
    await communicator.sendInput({ type, by: 'robin', reply_channel: reply });
  }
  const started = { type: 'linod.started', coroutine: 'run.system.tasks', worker: 'w1' };
  t.same(await layer.receive(reply), { ...started, already: false });
  t.same(await layer.receive(reply), { ...started, already: true });
  t.same(await layer.receive(reply), { ...started, already: true });
  t.same(await layer.receive(reply), { ...started, coroutine: 'log.server', already: false });
  t.same(
    calls.map(([name]) => name),
    ['startTasks', 'startTasks', 'startTasks', 'startLogger'],
  );
  await communicator.stop();
});

t.test('the consumer answers on the reply channel that a message names', async (t) => {
  const { calls, layer, communicator } = open(t);
  const reply_channel = await layer.newChannel();
  await communicator.sendInput({ type: 'job.list', reply_channel });
  await communicator.sendInput({ type: 'worker.ping', reply_channel });
  await communicator.sendInput({
    type: 'job.run',
    rule: 3,
    args: { fix: false },
    by: 'robin',
    reply_channel,
  });
  await communicator.sendInput({ type: 'job.cancel', rule: 'report', reply_channel });
  await communicator.sendInput({ type: 'job.run', rule: 'nobody', reply_channel });
  t.same(await layer.receive(reply_channel), { type: 'job.status', lines: ['Job rule #1 …'], worker: 'w1' });
  t.same(await layer.receive(reply_channel), { type: 'worker.pong', tasks: 'running', worker: 'w1' });
  t.same(await layer.receive(reply_channel), { type: 'job.requested', rule: 3, request: 7, worker: 'w1' });
  t.same(await layer.receive(reply_channel), {
    type: 'job.requested',
    rule: 'report',
    request: 7,
    worker: 'w1',
  });
  t.same(await layer.receive(reply_channel), {
    type: 'job.refused',
    rule: 'nobody',
    code: 'LINOD_ERR_UNKNOWN_RULE',
    error: 'no such rule',
    worker: 'w1',
  });
  t.same(calls, [
    ['request', 'run', 3, 'robin', { fix: false }],
    ['request', 'cancel', 'report', 'a message'],
  ]);
  await communicator.stop();
});

t.test('job.get answers with the state of a request', async (t) => {
  const { layer, communicator } = open(t);
  const reply_channel = await layer.newChannel();
  await communicator.sendInput({ type: 'job.get', request: 7, reply_channel });
  await communicator.sendInput({ type: 'job.get', request: 8, reply_channel });
  const state = { request: 7, over: false, outcome: null, job: null };
  t.same(await layer.receive(reply_channel), { type: 'job.state', ...state, worker: 'w1' });
  const refusal = { type: 'job.refused', request: 8, code: 'LINOD_ERR_USAGE', error: 'no such request' };
  t.same(await layer.receive(reply_channel), { ...refusal, worker: 'w1' });
  await communicator.stop();
});

t.test('a message without a reply channel gets no answer', async (t) => {
  const { calls, layer, communicator } = open(t);
  await communicator.sendInput({ type: 'rules.changed' });
  await communicator.sendInput({ type: 'job.run', rule: 3 });
  await communicator.sendInput({ type: 'log.record', name: 'django', message: 'hello' });
  const reply_channel = await layer.newChannel();
  await communicator.sendInput({ type: 'worker.ping', reply_channel });
  t.match(await layer.receive(reply_channel), { type: 'worker.pong' });
  t.same(calls, [['wake'], ['request', 'run', 3, 'a message'], ['record', 'django', 'hello']]);
  await communicator.stop();
});

for (const [message, problem] of [
  [{ type: 'job.run' }, /rule/],
  [{ type: 'job.run', rule: '' }, /rule/],
  [{ type: 'job.run', rule: [3] }, /rule/],
  [{ type: 'job.run', rule: -1 }, /rule/],
  [{ type: 'job.list' }, /reply_channel/],
  [{ type: 'job.get', request: 7 }, /reply_channel/],
  [{ type: 'job.get', reply_channel: 'a' }, /request/],
  [{ type: 'worker.ping', reply_channel: 7 }, /reply_channel/],
] as const) {
  t.test(`${JSON.stringify(message)} is refused with an error that names the problem`, async (t) => {
    const { calls, communicator } = open(t);
    await communicator.sendInput(message);
    await t.rejects(communicator.wait(), { code: 'CHANNELS_ERR_MALFORMED_MESSAGE', message: problem });
    t.same(calls, []);
  });
}

for (const type of ['send', 'reply', 'constructor', 'dispatch', 'to.string', 'log.records', 'handles']) {
  t.test(`a peer cannot reach ${type}`, async (t) => {
    const { communicator } = open(t);
    await communicator.sendInput({ type });
    await t.rejects(communicator.wait(), { code: 'CHANNELS_ERR_NO_HANDLER' });
  });
}

t.test('a push to a user or to everybody is queued and confirmed; an invalid one is refused', async (t) => {
  const { calls, layer, communicator } = open(t);
  const reply_channel = await layer.newChannel();
  const open_ = { urgency: undefined, topic: undefined, ttlSeconds: undefined };
  await communicator.sendInput({
    type: 'send.push',
    user_id: 7,
    data: { title: 'Hello' },
    ttl: 60,
    reply_channel,
  });
  t.same(await layer.receive(reply_channel), { type: 'push.queued', push: 5, deliveries: 2, worker: 'w1' });
  await communicator.sendInput({ type: 'send.push', data: 'to all', by: 'robin', urgency: 'high' });
  await communicator.sendInput({ type: 'send.push', user_id: 'ann', data: 'x', topic: 'a b', reply_channel });
  t.same(await layer.receive(reply_channel), {
    type: 'push.refused',
    code: 'LINOD_ERR_USAGE',
    error: 'no such topic',
    worker: 'w1',
  });
  t.same(calls, [
    ['push', { ...open_, to: '7', data: { title: 'Hello' }, ttlSeconds: 60 }, 'a message'],
    ['push', { ...open_, to: null, data: 'to all', urgency: 'high' }, 'robin'],
    ['push', { ...open_, to: 'ann', data: 'x', topic: 'a b' }, 'a message'],
  ]);
  await communicator.stop();
});
