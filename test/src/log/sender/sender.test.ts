import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LogNotFlushedError, LogSender, type LogSenderOptions } from '../../../../src/log/sender/sender.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { BadTransport, readRecords } from '../../../support/log.js';
import { Random } from '../../../support/random.js';
import { turns } from '../../../support/until.js';

function setUp(t: Test, options: Partial<LogSenderOptions> = {}) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const transport = new BadTransport(clock, new Random(1));
  const spoolDirectory = join(directory, 'spool');
  const troubles: unknown[] = [];
  const sender = new LogSender({
    name: 'web',
    pid: 812,
    transport,
    settings: { spoolDirectory, timezone: 'Europe/Tallinn' },
    clock,
    onTrouble: (error) => troubles.push(error),
    ...options,
  });
  const write = (count: number, text = 'text') => {
    for (let i = 0; i < count; i++) sender.write('INFO', 'shop', `${text} ${sender.progress.accepted + 1}`);
  };
  const batches = () => transport.delivered;
  const ack = (last: number) =>
    transport.answer({ type: 'log.ack', sender: sender.label, epoch: sender.epoch, last });
  const spooled = () => (existsSync(spoolDirectory) ? readdirSync(spoolDirectory) : []);
  const pass = async (ms: number) => {
    clock.advance(ms);
    await turns();
  };
  return {
    directory,
    clock,
    transport,
    spoolDirectory,
    troubles,
    sender,
    write,
    batches,
    ack,
    spooled,
    pass,
  };
}

t.test('records of 40 ms go out as one batch, and are on disk before', async (t) => {
  const { sender, write, batches, spooled, spoolDirectory, clock } = setUp(t);
  write(3);
  clock.advance(39);
  t.strictSame([batches().length, spooled().length], [0, 0]);
  clock.advance(1);
  t.match(batches(), [{ sender: 'web[812]', epoch: sender.epoch, first: 1, count: 3, acked: 0, base: 1 }]);
  const [file = ''] = spooled();
  const [header, ...lines] = readFileSync(join(spoolDirectory, file), 'utf8').split('\n');
  t.match(header, /^# linod log spool 1 \{"sender":"web\[812\]"/);
  t.strictSame(lines.join('\n'), Buffer.from(batches()[0]?.bytes ?? []).toString());
  t.equal(lines[0], '2026-01-01 02:00:00.000+02:00 INFO web[812]#1 shop: text 1');
});

t.test('64 kB do not wait for the 40 ms', async (t) => {
  const { write, batches, spooled } = setUp(t);
  write(70, 'x'.repeat(1000));
  await turns();
  t.equal(spooled().length, 1);
  t.match(batches(), [{ first: 1 }]);
});

t.test('a busy process brings its records to disk although no timer runs', async (t) => {
  let now = 0;
  const { write, spooled } = setUp(t, { clock: { now: () => now, after: () => () => {} } });
  write(1);
  now += 41;
  write(1);
  t.equal(spooled().length, 1);
});

t.test('what is acknowledged leaves the spool', async (t) => {
  const { write, ack, spooled, pass } = setUp(t);
  write(3);
  await pass(40);
  ack(3);
  await pass(1000);
  t.strictSame(spooled(), []);
});

t.test('batches that follow closely are sent together', async (t) => {
  const { write, batches, pass } = setUp(t);
  for (let i = 0; i < 6; i++) {
    write(1);
    await pass(40);
  }
  t.match(batches().slice(0, 2), [
    { first: 1, count: 1 },
    { first: 2, count: 2 },
  ]);
  t.equal(batches().length, 3);
});

t.test('at most 2 MB are under way, and the rest follows from disk in order', async (t) => {
  const { write, batches, ack, pass, sender } = setUp(t);
  for (let i = 0; i < 40; i++) {
    write(70, 'x'.repeat(1000));
    await turns();
  }
  const underWay = batches().reduce((sum, { bytes }) => sum + bytes.length, 0);
  t.ok(underWay > 1.8e6 && underWay < 2.5e6, `${underWay} bytes`);
  while (sender.progress.acknowledged < 2800) {
    const { first = 1, count = 0 } = batches().at(-1) ?? {};
    ack(first + count - 1);
    await pass(100);
  }
  const records = readRecords(
    batches()
      .map((batch) => Buffer.from(batch.bytes).toString())
      .join(''),
  );
  t.strictSame(
    records.map((record) => record.number),
    Array.from({ length: 2800 }, (_, i) => i + 1),
  );
});

t.test('without an answer it sends one batch again now and then, and nothing else', async (t) => {
  const { write, batches, pass } = setUp(t);
  write(1);
  await pass(40);
  await pass(1000);
  for (let i = 0; i < 600; i++) {
    write(20, 'x'.repeat(1000));
    await pass(100);
  }
  t.ok(batches().length < 20, `${batches().length} batches in a minute`);
  t.ok(batches().every(({ first, bytes }) => first === 1 && bytes.length <= 65_536));
});

t.test('it goes on where the writer is, as soon as one announces itself', async (t) => {
  const { transport, write, batches, ack, pass } = setUp(t);
  write(3);
  await pass(40);
  await pass(1000);
  write(2);
  await pass(40);
  transport.answer({ type: 'log.ready' });
  await turns();
  t.match(batches().slice(1), [{ first: 1, count: 5 }]);
  ack(3);
  await pass(1000);
  await pass(100);
  t.match(batches().at(-1), { first: 4, count: 2, acked: 3, base: 4 });
});

t.test('what is not acknowledged for a second is sent again, with everything after it', async (t) => {
  const { write, batches, ack, pass } = setUp(t);
  for (let i = 0; i < 3; i++) {
    write(1);
    await pass(100);
  }
  ack(1);
  await pass(1000);
  const before = batches().length;
  await pass(100);
  t.match(batches().slice(before), [{ first: 2, count: 2, acked: 1 }]);
});

t.test('answers to another sender of the same name change nothing', async (t) => {
  const { transport, sender, write, pass } = setUp(t);
  write(1);
  await pass(40);
  transport.answer({ type: 'log.ack', sender: sender.label, epoch: 'other', last: 1 });
  transport.answer({ type: 'log.ack', sender: sender.label, epoch: sender.epoch, last: 99 });
  t.equal(sender.progress.acknowledged, 0);
});

t.test('a layer that refuses is asked again, and nothing is skipped', async (t) => {
  const { transport, write, batches, ack, pass } = setUp(t);
  transport.faults = { ...transport.faults, refuse: 1 };
  write(1);
  await pass(40);
  write(1);
  await pass(400);
  t.equal(batches().length, 0);
  transport.faults = { ...transport.faults, refuse: 0 };
  await pass(400);
  t.match(batches(), [{ first: 1, count: 2 }]);
  ack(2);
  write(1);
  await pass(100);
  t.match(batches().slice(1), [{ first: 3 }]);
});

t.test('flush waits for the acknowledgement while someone answers', async (t) => {
  const { sender, write, ack } = setUp(t);
  let isFlushed = false;
  write(1);
  const flushed = sender.flush().then(() => {
    isFlushed = true;
  });
  await turns();
  t.notOk(isFlushed);
  ack(1);
  await flushed;
});

t.test('flush is content with the spool when nobody answers', async (t) => {
  const { sender, write, spooled, clock } = setUp(t);
  write(1);
  const flushed = sender.flush();
  clock.advance(1000);
  await flushed;
  t.equal(spooled().length, 1);
});

t.test('close flushes, closes the way and leaves no file; twice is once', async (t) => {
  const { sender, write, ack, transport, spooled } = setUp(t);
  write(1);
  const closed = Promise.all([sender.close(), sender.close()]);
  ack(1);
  await closed;
  t.ok(transport.isClosed);
  t.strictSame(spooled(), []);
});

t.test('records after the end, and those that an exit surprises, go to the spool', async (t) => {
  const { sender, write, spooled, spoolDirectory } = setUp(t);
  await sender.close();
  write(2);
  t.equal(spooled().length, 1);
  sender.saveAtExit();
  t.match(
    readFileSync(join(spoolDirectory, spooled()[0] ?? ''), 'utf8'),
    /#1 shop: text 1\n.*#2 shop: text 2\n$/,
  );
});

t.test(
  'when the spool cannot be written, records stay in memory, are sent, and it is reported once',
  async (t) => {
    const { sender, directory, write, batches, troubles, spooled, pass, clock } = setUp(t);
    writeFileSync(join(directory, 'spool'), 'in the way');
    write(2);
    await pass(40);
    write(1);
    await pass(40);
    await pass(100);
    t.match(batches(), [{ first: 1, count: 2 }, { first: 3 }]);
    t.match(troubles, [{ code: 'EEXIST' }]);

    const flushed = t.rejects(sender.flush(3000), { code: 'LINOD_ERR_LOG_NOT_FLUSHED' });
    clock.advance(3000);
    await flushed;

    rmSync(join(directory, 'spool'));
    clock.advance(1000);
    write(1);
    await pass(40);
    t.strictSame(troubles.at(-1), undefined);
    sender.saveAtExit();
    const records = spooled().flatMap((file) =>
      readRecords(readFileSync(join(directory, 'spool', file), 'utf8').replace(/^#.*\n/, '')),
    );
    t.strictSame(records.map((record) => record.number).sort(), [1, 2, 3, 4]);
  },
);

t.test(
  'flush brings to disk what was in memory when that can be written again, though nothing more is logged',
  async (t) => {
    for (const isAnswered of [false, true]) {
      const { sender, directory, write, pass, clock, ack, troubles } = setUp(t);
      writeFileSync(join(directory, 'spool'), 'in the way');
      write(1);
      await pass(40);
      write(1);
      await pass(40);
      rmSync(join(directory, 'spool'));
      const flushed = sender.flush(2500);
      for (let waitedMs = 0; waitedMs < 3000; waitedMs += 500) {
        // A writer that has fallen behind answers, and does not come to the last of it.
        if (isAnswered) ack(1);
        clock.advance(500);
        await turns();
      }
      await flushed;
      t.match(sender.spooled, { memoryBytes: 0 });
      t.equal(troubles.at(-1), undefined, 'that it goes well again is told');
      sender.saveAtExit();
      rmSync(directory, { recursive: true });
    }
  },
);

t.test('the error of flush says what was tried', async (t) => {
  t.match(new LogNotFlushedError(50).message, /after 50 ms, .* spool directory/);
});
