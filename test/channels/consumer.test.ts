import t from 'tap';
import { handlerName } from '../../channels/consumer.js';
import {
  Consumer,
  type HandledTypes,
  type HandlerName,
  type Handlers,
  InMemoryChannelLayer,
  type Message,
  type Received,
  StopConsumer,
} from '../../channels/index.js';
import { ApplicationCommunicator } from '../../channels/testing.js';
import { turns, until } from '../support/until.js';

interface LogServer extends Message {
  readonly type: 'log.server';
}

interface RunTasks extends Message {
  readonly type: 'run.system_tasks';
  readonly n: number;
}

type TestMessages = LogServer | RunTasks;

const scope = { type: 'channel', channel: 'test' };

/** Notes what its handlers were called with; everything else in it is what no peer may reach. */
class Recorder extends Consumer<TestMessages> implements Handlers<TestMessages> {
  readonly calls: [string, unknown][] = [];
  readonly field = () => this.calls.push(['field', undefined]);

  logServer(message: LogServer): void {
    this.calls.push(['logServer', message]);
  }

  async runSystemTasks(message: RunTasks): Promise<void> {
    this.calls.push(['runSystemTasks', message]);
  }

  get getter() {
    return () => this.calls.push(['getter', undefined]);
  }

  static staticMethod() {
    throw new Error('a static method was reached');
  }

  override toString() {
    this.calls.push(['toString', undefined]);
    return 'Recorder';
  }

  override async send() {
    this.calls.push(['send', undefined]);
  }

  _hidden() {
    this.calls.push(['_hidden', undefined]);
  }

  $hidden() {
    this.calls.push(['$hidden', undefined]);
  }

  hasPrivate() {
    return this.#private;
  }

  #private() {
    this.calls.push(['#private', undefined]);
  }
}

t.test('a type names a method, for the compiler and at run time alike', async (t) => {
  const names: [
    HandlerName<'log.server'>,
    HandlerName<'run.system.tasks'>,
    HandlerName<'a_b.c_d'>,
    HandlerName<'x'>,
  ] = ['logServer', 'runSystemTasks', 'aBCD', 'x'];
  t.same(['log.server', 'run.system.tasks', 'a_b.c_d', 'x'].map(handlerName), names);
  t.equal(handlerName('http2.request'), 'http2Request');
  t.equal(handlerName('web.2fa'), 'web2fa');
});

t.test('a consumer that lacks a handler does not compile', async (t) => {
  class Incomplete extends Consumer<TestMessages> {
    logServer() {}
  }
  class Mistaken extends Consumer<TestMessages> {
    logServer(_message: LogServer) {}
    runSystemTasks(_message: { type: 'run.system_tasks'; n: string }) {}
  }
  type Implements<C> = C extends Handlers<TestMessages> ? true : false;
  const answers: [Implements<Recorder>, Implements<Incomplete>, Implements<Mistaken>] = [true, false, false];
  t.same(answers, [true, false, false]);
});

t.test('a list of handled types that lacks one, or has one too many, does not compile', async (t) => {
  type Fits<T> = T extends HandledTypes<TestMessages> ? true : false;
  const answers: [
    Fits<{ 'log.server': true; 'run.system_tasks': true }>,
    Fits<{ 'log.server': true }>,
    keyof HandledTypes<TestMessages>,
  ] = [true, false, 'log.server'];
  t.equal(answers.length, 3);
});

t.test('messages that differ by nothing but their type may be one interface', async (t) => {
  interface Signal extends Message {
    readonly type: 'stop.it' | 'start.it';
  }
  class Signals extends Consumer<Signal> implements Handlers<Signal> {
    stopIt(message: Signal & { type: 'stop.it' }) {
      t.equal(message.type, 'stop.it');
    }
    startIt() {}
  }
  await new Signals().dispatch({ type: 'stop.it' });
  type Parameter<H extends keyof Handlers<Signal>> = Parameters<Handlers<Signal>[H]>[0]['type'];
  const types: [Parameter<'stopIt'>, Parameter<'startIt'>] = ['stop.it', 'start.it'];
  t.equal(types.length, 2);
});

t.test('a message goes to the method that its type names', async (t) => {
  const recorder = new Recorder();
  const communicator = new ApplicationCommunicator(
    Recorder.application(() => recorder),
    scope,
  );
  await communicator.sendInput({ type: 'log.server' });
  await communicator.sendInput({ type: 'run.system_tasks', n: 1 });
  await turns();
  await communicator.stop();
  t.same(recorder.calls, [
    ['logServer', { type: 'log.server' }],
    ['runSystemTasks', { type: 'run.system_tasks', n: 1 }],
  ]);
});

t.test('no other method can be reached', async (t) => {
  const recorder = new Recorder();
  const types = [
    ...['constructor', 'to.string', 'toString', 'send', 'run', 'dispatch', 'scope', 'layer', 'channel.name'],
    ...['application', 'static.method', 'prototype', '__proto__', 'has.own.property', 'value.of', '_hidden'],
    ...[
      '$hidden',
      'field',
      'getter',
      '#private',
      'private',
      'calls',
      'handles',
      '',
      '.',
      '..',
      'log..server',
    ],
    ...[
      '.log.server',
      'log.server.',
      '_log.server',
      'log server',
      'log.server\n',
      'Log.server',
      'no.such.type',
    ],
    ...['log-server', 'logServer()', 'löö.server'],
  ];
  for (const type of types) {
    await t.rejects(
      recorder.dispatch({ type }),
      { code: 'CHANNELS_ERR_NO_HANDLER', type },
      JSON.stringify(type),
    );
  }
  t.same(recorder.calls, []);
});

t.test('an unknown type is told with what the consumer handles', async (t) => {
  await t.rejects(new Recorder().dispatch({ type: 'log.servr' }), {
    message: /^Recorder has no handler for message type "log\.servr"; it handles: logServer, runSystemTasks/,
  });
});

t.test('a base class reserves the names of its hooks, and its handlers are inherited', async (t) => {
  class Base extends Consumer {
    static override readonly reserved: readonly string[] = ['connect'];
    readonly calls: string[] = [];

    connect() {
      this.calls.push('Base.connect');
    }

    webConnect() {
      this.connect();
    }
  }
  class Leaf extends Base {
    override connect() {
      this.calls.push('Leaf.connect');
    }
  }
  const leaf = new Leaf();
  await t.rejects(leaf.dispatch({ type: 'connect' }), { code: 'CHANNELS_ERR_NO_HANDLER' });
  await leaf.dispatch({ type: 'web.connect' });
  t.same(leaf.calls, ['Leaf.connect']);
});

t.test('a consumer that lists its types is reached by those and no other', async (t) => {
  class Listed extends Recorder {
    override readonly handles: HandledTypes<TestMessages> = {
      'log.server': true,
      'run.system_tasks': parseRunTasks,
    };

    helper() {
      this.calls.push(['helper', undefined]);
    }
  }
  const listed = new Listed();
  await listed.dispatch({ type: 'log.server' });
  await listed.dispatch(JSON.parse('{"type":"run.system_tasks","n":"5","more":1}'));
  t.same(listed.calls[1], ['runSystemTasks', { type: 'run.system_tasks', n: 5 }], 'as the parser made it');
  for (const type of ['helper', 'log_server', 'toString', '__proto__', 'has.private']) {
    await t.rejects(listed.dispatch({ type }), { code: 'CHANNELS_ERR_NO_HANDLER' }, type);
  }
  await t.rejects(listed.dispatch({ type: 'run.system_tasks' }), {
    code: 'CHANNELS_ERR_MALFORMED_MESSAGE',
    type: 'run.system_tasks',
    cause: { message: 'expected n to be a number' },
  });
  t.equal(listed.calls.length, 2);
});

t.test('a handler that throws StopConsumer ends the consumer in peace', async (t) => {
  class Stopping extends Consumer {
    goOn() {
      throw new Error('a message after the end was handled');
    }

    async stopNow() {
      throw new StopConsumer();
    }
  }
  const communicator = new ApplicationCommunicator(
    Consumer.application(() => new Stopping()),
    scope,
  );
  await communicator.sendInput({ type: 'stop.now' });
  await communicator.sendInput({ type: 'go.on' });
  await t.resolves(communicator.wait());
});

t.test('any other error of a handler ends the consumer with it', async (t) => {
  const error = new Error('broken');
  class Failing extends Consumer {
    failNow() {
      throw error;
    }
  }
  const communicator = new ApplicationCommunicator(
    Consumer.application(() => new Failing()),
    scope,
  );
  await communicator.sendInput({ type: 'fail.now' });
  await t.rejects(communicator.wait(), error);
});

t.test('messages are handled one at a time, in order', async (t) => {
  const log: string[] = [];
  class Slow extends Consumer {
    async slowOne(message: Message & { n: number }) {
      log.push(`begin ${message.n}`);
      await turns(3 - message.n);
      log.push(`end ${message.n}`);
    }
  }
  const communicator = new ApplicationCommunicator(
    Consumer.application(() => new Slow()),
    scope,
  );
  for (let n = 0; n < 3; n++) await communicator.sendInput({ type: 'slow.one', n });
  await turns(50);
  await communicator.stop();
  t.same(log, ['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2']);
});

t.test('a consumer knows its scope and sends to its client', async (t) => {
  class Echo extends Consumer {
    async echoThis(message: Message) {
      await this.send({ type: 'echoed', path: this.scope.path, channelName: this.channelName, message });
    }
  }
  t.throws(() => new Echo().scope, { code: 'CHANNELS_ERR_NOT_RUNNING' });
  t.throws(() => new Echo().layer, { code: 'CHANNELS_ERR_NO_LAYER', message: /^Echo / });
  const web = { type: 'websocket', path: '/echo/' };
  const seen: unknown[] = [];
  const application = Consumer.application((scope) => {
    seen.push(scope);
    return new Echo();
  });
  const communicator = new ApplicationCommunicator(application, web);
  await communicator.sendInput({ type: 'echo.this' });
  t.same(await communicator.receiveOutput(), {
    type: 'echoed',
    path: '/echo/',
    channelName: undefined,
    message: { type: 'echo.this' },
  });
  await communicator.stop();
  t.same(seen, [web], 'whoever makes it is told the scope');
});

/** Tells its client its own channel, and what it gets from both sides. */
class Member extends Consumer {
  constructor(layer: InMemoryChannelLayer) {
    super({ layer, ownChannel: true });
  }

  async tellName() {
    await this.send({ type: 'name', name: this.channelName });
  }

  async passOn(message: Message & { n: number }) {
    await turns(message.n % 3);
    await this.send({ type: 'passed', n: message.n });
  }

  failNow() {
    throw new Error('broken');
  }
}

t.test('a consumer with a channel of its own gets messages from both sides', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const communicator = new ApplicationCommunicator(
    Consumer.application(() => new Member(layer)),
    scope,
  );
  await communicator.sendInput({ type: 'tell.name' });
  const { name } = await communicator.receiveOutput<Message & { name: string }>();
  t.match(name, /^specific\./);
  for (let n = 0; n < 10; n++) {
    await (n % 2 === 0
      ? layer.send(name, { type: 'pass.on', n })
      : communicator.sendInput({ type: 'pass.on', n }));
  }
  const passed: number[] = [];
  for (let i = 0; i < 10; i++) passed.push((await communicator.receiveOutput<Message & { n: number }>()).n);
  t.same(
    passed.filter((n) => n % 2 === 0),
    [0, 2, 4, 6, 8],
    'in order',
  );
  t.same(
    passed.filter((n) => n % 2 === 1),
    [1, 3, 5, 7, 9],
    'in order',
  );
  await communicator.stop();
});

t.test('the end of a consumer ends its wait on the layer, whichever side it came from', async (t) => {
  for (const end of ['stop', 'client', 'own channel']) {
    const layer = new InMemoryChannelLayer();
    t.teardown(() => layer.close());
    const communicator = new ApplicationCommunicator(
      Consumer.application(() => new Member(layer)),
      scope,
    );
    await communicator.sendInput({ type: 'tell.name' });
    const { name } = await communicator.receiveOutput<Message & { name: string }>();
    if (end === 'stop') await communicator.stop();
    else {
      if (end === 'client') await communicator.sendInput({ type: 'fail.now' });
      else await layer.send(name, { type: 'fail.now' });
      await t.rejects(communicator.wait(), { message: 'broken' });
    }
    await layer.send(name, { type: 'pass.on', n: 1 });
    t.match(await layer.receive(name), { n: 1 }, `after ${end} nobody took it away`);
  }
});

t.test('a consumer that is ended from one side finishes what it handles from the other', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  for (const fails of [false, true]) {
    let [isBegun, isOver] = [false, false];
    let finish = () => {};
    class Busy extends Member {
      async beBusy() {
        isBegun = true;
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        if (fails) throw new Error('broken');
      }
    }
    const communicator = new ApplicationCommunicator(
      Consumer.application(() => new Busy(layer)),
      scope,
    );
    await communicator.sendInput({ type: 'tell.name' });
    const { name } = await communicator.receiveOutput<Message & { name: string }>();
    await layer.send(name, { type: 'be.busy' });
    await until('it is busy', () => isBegun);
    const stopped = communicator.stop();
    const outcome = fails ? t.rejects(stopped, { message: 'broken' }) : t.resolves(stopped);
    const over = outcome.then(() => {
      isOver = true;
    });
    await turns();
    t.equal(isOver, false);
    finish();
    await over;
  }
});

t.test('what is no message, on a channel of its own, ends the consumer with an error', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const communicator = new ApplicationCommunicator(
    Consumer.application(() => new Member(layer)),
    scope,
  );
  await communicator.sendInput({ type: 'tell.name' });
  const { name } = await communicator.receiveOutput<Message & { name: string }>();
  await layer.send(name, JSON.parse('{"kind":"no.type"}'));
  await t.rejects(communicator.wait(), { code: 'CHANNELS_ERR_MALFORMED_MESSAGE' });
});

function parseRunTasks(received: Received): RunTasks {
  const n = Number(received.n);
  if (Number.isNaN(n)) throw new TypeError('expected n to be a number');
  return { type: 'run.system_tasks', n };
}
