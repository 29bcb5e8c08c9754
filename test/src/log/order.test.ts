import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LogAnswer } from '../../../src/log/messages.js';
import { LogSender } from '../../../src/log/sender/sender.js';
import { LogWriter } from '../../../src/log/writer/writer.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { BadTransport, readLog } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { turns } from '../../support/until.js';

function setUp(t: Test, orderMs: number) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const path = join(directory, 'lino.log');
  const spoolDirectory = join(directory, 'spool');
  const writer = new LogWriter({ path, clock, orderMs });
  t.teardown(() => writer.stop());
  const newSender = (name: string, delayMs: number) => {
    const transport = new BadTransport(clock, new Random(1), { lose: 0, double: 0, refuse: 0, delayMs });
    transport.receiver = (request, reply: (answer: LogAnswer) => void) => writer.accept(request, reply);
    return new LogSender({
      name,
      pid: 1,
      transport,
      clock,
      settings: { spoolDirectory, gatherMs: 10 },
    });
  };
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i++) {
      clock.advance(1);
      await turns(1);
      // The disk takes as long as it takes; on this clock, a moment.
      await writer.settled();
    }
    await turns();
  };
  const texts = async () => {
    await writer.settled();
    return (await readLog(path)).filter(({ sender }) => sender !== undefined).map(({ text }) => text);
  };
  return { clock, writer, newSender, pass, texts };
}

t.test('records of several senders are in the order of their times', async (t) => {
  const { writer, newSender, pass, texts } = setUp(t, 150);
  await writer.start();
  const senders = ['a', 'b', 'c'].map((name) => newSender(name, 20));
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const logged: string[] = [];
  for (let n = 0; n < 200; n++) {
    const text = `record ${n}`;
    random.pick(senders).write('INFO', 'shop', text);
    logged.push(text);
    await pass(random.whole(1, 3));
  }
  await pass(300);
  t.strictSame(await texts(), logged);
});

t.test('a record waits for its time and no longer', async (t) => {
  const { writer, newSender, pass, texts } = setUp(t, 50);
  await writer.start();
  newSender('a', 0).write('INFO', 'shop', 'one');
  await pass(45);
  t.strictSame(await texts(), [], 'not before it is 50 ms old');
  await pass(10);
  await turns(20);
  t.strictSame(await texts(), ['one']);
});

t.test('a clock that is an hour ahead keeps nobody waiting', async (t) => {
  const { clock, writer, newSender, pass, texts } = setUp(t, 50);
  await writer.start();
  newSender('a', 0).write('INFO', 'shop', 'from the future', undefined, undefined, clock.now() + 3_600_000);
  newSender('b', 0).write('INFO', 'shop', 'from now');
  await pass(100);
  t.strictSame([...(await texts())].sort(), ['from now', 'from the future']);
});

t.test('with 0, what comes first is written first', async (t) => {
  const { clock, writer, newSender, pass, texts } = setUp(t, 0);
  await writer.start();
  newSender('a', 0).write('INFO', 'shop', 'later', undefined, undefined, clock.now() + 5);
  await pass(11);
  newSender('b', 0).write('INFO', 'shop', 'earlier', undefined, undefined, clock.now() - 500);
  await pass(11);
  t.strictSame(await texts(), ['later', 'earlier']);
});

t.test('a clock that is set back keeps what waits no longer than before', async (t) => {
  const { clock, writer, newSender, pass, texts } = setUp(t, 50);
  await writer.start();
  const sender = newSender('a', 0);
  sender.write('INFO', 'shop', 'before');
  await pass(30);
  t.same(await texts(), [], 'it waits for its time');
  clock.setTo(clock.now() - 3_600_000);
  sender.write('INFO', 'shop', 'after');
  await pass(100);
  t.same(await texts(), ['before', 'after']);
});
