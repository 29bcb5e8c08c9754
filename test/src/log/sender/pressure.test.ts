import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LevelName } from '../../../../src/base/log-levels.js';
import { Pressure } from '../../../../src/log/sender/pressure.js';
import { LogSender } from '../../../../src/log/sender/sender.js';
import type { SenderSettings } from '../../../../src/log/sender/settings.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { BadTransport, readLog, readRecords } from '../../../support/log.js';
import { Random } from '../../../support/random.js';
import { turns, until } from '../../../support/until.js';

const levels: readonly LevelName[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];

function setUp(t: Test, settings: Partial<SenderSettings>) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const transport = new BadTransport(clock, new Random(1));
  const spoolDirectory = join(directory, 'spool');
  const sender = new LogSender({
    name: 'web',
    pid: 812,
    transport,
    clock,
    settings: { spoolDirectory, ...settings },
  });
  t.teardown(() => sender.close().catch(() => undefined));
  const pass = async (ms: number) => {
    clock.advance(ms);
    await turns();
  };
  /** Logs one record of each level and waits for its batch. */
  const logAll = async () => {
    for (const level of levels) sender.write(level, 'shop', `a record of level ${level}`);
    await pass(40);
  };
  const startWriter = async () => {
    const path = join(directory, 'lino.log');
    const writer = new LogWriter({ path, clock });
    await writer.start();
    t.teardown(() => writer.stop());
    transport.receiver = (request, reply) => writer.accept(request, reply);
    transport.answer({ type: 'log.ready' });
    await allWritten();
    return path;
  };
  const allWritten = () =>
    until('all is in the log', async () => {
      await pass(50);
      return sender.progress.acknowledged === sender.progress.accepted;
    });
  const spooled = () =>
    existsSync(spoolDirectory)
      ? readdirSync(spoolDirectory).flatMap((file) =>
          readRecords(readFileSync(join(spoolDirectory, file), 'utf8').replace(/^#.*\n/, '')),
        )
      : [];
  return { sender, clock, spoolDirectory, pass, logAll, startWriter, allWritten, spooled };
}

t.test('DEBUG ends at half of the room, INFO at three quarters, the others when there is none', (t) => {
  const taken = (fill: number) => {
    const pressure = new Pressure();
    pressure.update(fill, 0);
    return levels.filter((level) => pressure.admits(level));
  };
  t.strictSame(taken(0.49), levels);
  t.strictSame(taken(0.5), levels.slice(1));
  t.strictSame(taken(0.75), levels.slice(2));
  t.strictSame(taken(0.99), levels.slice(2));
  t.strictSame(taken(1), []);
  t.end();
});

t.test('while records are dropped, that is reported once a second, and at once when it is over', (t) => {
  const pressure = new Pressure();
  pressure.update(0.6, 0);
  pressure.admits('DEBUG');
  t.strictSame(pressure.report(0), { DEBUG: 1 });
  pressure.admits('DEBUG');
  pressure.admits('DEBUG');
  t.equal(pressure.report(999), undefined);
  t.strictSame(pressure.report(1000), { DEBUG: 2 });
  pressure.update(1, 0);
  pressure.admits('ERROR');
  t.equal(pressure.report(5000), undefined, 'there is no room for the report');
  pressure.update(0.1, 0);
  t.strictSame(pressure.report(5001), { ERROR: 1 });
  t.equal(pressure.report(9000), undefined);
  t.end();
});

t.test(
  'a spool that nobody empties stays within its room; what was dropped is reported by level',
  async (t) => {
    const { sender, logAll, startWriter, allWritten, clock, spooled } = setUp(t, {
      limits: { diskBytes: 20_000, segmentBytes: 2000 },
    });
    const logged = new Map<string, number>();
    for (let round = 0; round < 200; round++) {
      await logAll();
      for (const level of levels) logged.set(level, (logged.get(level) ?? 0) + 1);
      clock.advance(1000);
    }
    const bytes = JSON.stringify(spooled()).length;
    t.ok(bytes < 40_000, `${bytes} bytes in the spool`);
    const path = await startWriter();
    sender.write('INFO', 'shop', 'the last one');
    await until('the last one is in the log', async () => {
      await allWritten();
      return (await readLog(path)).some(({ text }) => text === 'the last one');
    });
    const records = await readLog(path);
    t.notOk(
      records.some(({ text }) => text.includes(' lost')),
      'no number is missing',
    );
    const dropped = new Map<string, number>();
    for (const { text } of records) {
      const [, json] = /^\d+ records? (?:was|were) dropped .*?(\{.*\})$/.exec(text) ?? [];
      if (json === undefined) continue;
      const counts = JSON.parse(json) as Record<string, number>;
      for (const [level, count] of Object.entries(counts))
        dropped.set(level, (dropped.get(level) ?? 0) + count);
    }
    for (const level of levels) {
      const written = records.filter(({ text }) => text === `a record of level ${level}`).length;
      t.equal(
        written + (dropped.get(level) ?? 0),
        logged.get(level),
        `${level}: written and dropped are all`,
      );
    }
    t.ok((dropped.get('DEBUG') ?? 0) > (dropped.get('INFO') ?? 0), 'more of DEBUG than of INFO');
    t.ok((dropped.get('INFO') ?? 0) > (dropped.get('ERROR') ?? 0), 'more of INFO than of ERROR');
  },
);

t.test(
  'where the newest are kept, the oldest files make room, and what is lost is reported by number',
  async (t) => {
    const { sender, logAll, startWriter } = setUp(t, {
      limits: { diskBytes: 10_000, segmentBytes: 2000, keeps: 'newest' },
    });
    for (let round = 0; round < 60; round++) await logAll();
    const { accepted } = sender.progress;
    t.equal(accepted, 300, 'each has its number');
    const records = await readLog(await startWriter());
    const numbers = records.filter(({ sender }) => sender !== undefined).map(({ number }) => number);
    const [first = 0] = numbers;
    t.ok(first > 1);
    t.strictSame(
      numbers,
      Array.from({ length: accepted - first + 1 }, (_, i) => first + i),
      'the newest, without a gap',
    );
    t.match(
      records.map(({ text }) => text).filter((text) => text.includes(' lost')),
      [new RegExp(`^${first - 1} records of web\\[812\\] lost: #1-${first - 1} `)],
    );
  },
);

t.test('after a write that took too long, records stay in memory for ten times as long', async (t) => {
  const clock = new ManualClock();
  let slowMs = 0;
  /** Each look at it takes as long as the disk is slow. */
  const slowClock = {
    now: () => {
      clock.advance(slowMs);
      return clock.now();
    },
    after: clock.after.bind(clock),
  };
  const spoolDirectory = join(testDirectory(t), 'spool');
  const transport = new BadTransport(clock, new Random(1), { lose: 0, double: 0, refuse: 1, delayMs: 0 });
  const sender = new LogSender({
    name: 'web',
    pid: 8,
    transport,
    clock: slowClock,
    settings: { spoolDirectory },
  });
  const inFiles = () =>
    readdirSync(spoolDirectory)
      .map((file) => readFileSync(join(spoolDirectory, file), 'utf8').match(/#\d+ shop/g)?.length ?? 0)
      .reduce((sum, count) => sum + count, 0);
  const log = async () => {
    sender.write('INFO', 'shop', 'a record');
    clock.advance(50);
    await turns();
  };
  await log();
  t.equal(inFiles(), 1);
  slowMs = 300;
  await log();
  slowMs = 0;
  t.equal(inFiles(), 2);
  await log();
  t.equal(inFiles(), 2, 'the third is in memory');
  clock.advance(4000);
  await log();
  t.equal(inFiles(), 4, 'then all are in files again');
  sender.saveAtExit();
  t.equal(inFiles(), 4, 'and at the end they still are');
});

t.test('a clock that is set back does not keep records in memory for longer', async (t) => {
  const { sender, clock, pass, spooled, spoolDirectory } = setUp(t, {});
  writeFileSync(spoolDirectory, 'no directory');
  sender.write('INFO', 'shop', 'first');
  await pass(50);
  rmSync(spoolDirectory);
  sender.write('INFO', 'shop', 'second');
  await pass(50);
  t.notOk(existsSync(spoolDirectory), 'a write has failed: no other is tried for a second');
  clock.setTo(clock.now() - 3_600_000);
  sender.write('INFO', 'shop', 'third');
  await pass(50);
  t.strictSame(
    spooled().map(({ text }) => text),
    ['first', 'second', 'third'],
  );
  sender.saveAtExit();
});
