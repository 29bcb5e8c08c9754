import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { InMemoryChannelLayer, type LayerOptions } from '../../../../channels/index.js';
import { type Owner, ownProcess } from '../../../../src/base/process-owner.js';
import { LevelTree } from '../../../../src/log/levels/level-tree.js';
import { type LogRecord, parseLogRequest, sendersGroup } from '../../../../src/log/messages.js';
import { SpoolAdopter } from '../../../../src/log/sender/adopter.js';
import { LayerTransport } from '../../../../src/log/sender/layer-transport.js';
import { LogSender } from '../../../../src/log/sender/sender.js';
import { formatSpoolHeader } from '../../../../src/log/sender/spool-file.js';
import { LoggerCoroutine } from '../../../../src/log/writer/logger-coroutine.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { readLog, recordOf } from '../../../support/log.js';
import { turns, until } from '../../../support/until.js';

const channel = 'linod_mysite.log';

async function setUp(t: Test, options: LayerOptions = {}) {
  const directory = testDirectory(t);
  const path = join(directory, 'lino.log');
  const spoolDirectory = join(directory, 'spool');
  const settings = { spoolDirectory, timezone: 'UTC' };
  const layer = new InMemoryChannelLayer(options);
  const clock = new ManualClock();
  const transport = () => new LayerTransport({ open: async () => layer, ownsLayer: false, channel, clock });
  const newSender = (name: string) =>
    new LogSender({ name, pid: 1, transport: transport(), settings, clock });
  const local = transport();
  const sender = new LogSender({
    name: 'worker',
    pid: 9,
    transport: local,
    settings,
    clock,
  });
  const troubles: unknown[] = [];
  const coroutine = new LoggerCoroutine({
    layer,
    channel,
    path,
    clock,
    timezone: 'UTC',
    thresholds: new LevelTree({ root: 'DEBUG', quiet: 'ERROR' }),
    sender,
    local,
    onTrouble: (error) => troubles.push(error),
  });
  const onTrouble = (error: unknown) => sender.write('WARNING', 'linod.log', String(error));
  const adopter = new SpoolAdopter({ directories: [spoolDirectory], clock, transport: local, onTrouble });
  const end = new AbortController();
  const listening = listen(layer, coroutine, end.signal);
  t.teardown(async () => {
    end.abort();
    await listening;
    await adopter.stop();
    await coroutine.stop();
    await layer.close();
  });
  /** Time goes by until a condition holds. */
  const pass = (what: string, condition: () => boolean) =>
    until(what, () => {
      clock.advance(20);
      return condition();
    });
  return {
    directory,
    path,
    spoolDirectory,
    layer,
    clock,
    newSender,
    sender,
    coroutine,
    adopter,
    troubles,
    pass,
  };
}

async function listen(
  layer: InMemoryChannelLayer,
  coroutine: LoggerCoroutine,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const message = await layer.receive(channel, { signal }).catch(() => undefined);
    if (message !== undefined) coroutine.accept(parseLogRequest(message));
  }
}

function isAcknowledged(sender: LogSender): boolean {
  return sender.progress.acknowledged === sender.progress.accepted;
}

t.test('records go over the layer into the file, and their acknowledgement comes back', async (t) => {
  const { coroutine, newSender, pass, path } = await setUp(t);
  await coroutine.start();
  const sender = newSender('web');
  for (let n = 1; n <= 1000; n++) sender.write('INFO', 'shop', `record ${n}`);
  await pass('all is acknowledged', () => isAcknowledged(sender));
  const texts = (await readLog(path))
    .filter((record) => record.sender === 'web[1]')
    .map((record) => record.text);
  t.strictSame(
    texts,
    Array.from({ length: 1000 }, (_, i) => `record ${i + 1}`),
  );
  await sender.close();
});

t.test('what was logged before it started comes as soon as it announces itself', async (t) => {
  const { coroutine, newSender, clock, layer, path } = await setUp(t);
  const sender = newSender('web');
  sender.write('INFO', 'shop', 'early');
  const flushed = sender.flush();
  await until('it has given up waiting', () => {
    clock.advance(20);
    return sender.isBusy === false;
  });
  await flushed;
  await layer.flush();
  t.notOk(existsSync(path));
  await coroutine.start();
  // The flush took the sender out of the group; its probe finds the writer.
  await until('all is acknowledged', () => {
    clock.advance(20);
    return isAcknowledged(sender);
  });
  t.ok((await readLog(path)).some((record) => record.text === 'early'));
  await sender.close();
});

t.test('a sender that waits hears the announcement', async (t) => {
  const { coroutine, layer } = await setUp(t);
  const mailbox = await layer.newChannel();
  await layer.groupAdd(sendersGroup(channel), mailbox);
  await coroutine.start();
  t.strictSame(await layer.receive(mailbox), { type: 'log.ready' });
});

t.test('its own process takes the short way while it runs, and the layer when it does not', async (t) => {
  const { coroutine, sender, pass, path, layer } = await setUp(t);
  await coroutine.start();
  sender.write('INFO', 'x', 'short');
  await pass('it is acknowledged', () => isAcknowledged(sender));
  t.ok((await readLog(path)).some((record) => record.sender === 'worker[9]' && record.text === 'short'));
  await coroutine.stop();
  sender.write('INFO', 'x', 'long');
  await pass('nobody answers', () => !sender.isBusy);
  t.notOk(isAcknowledged(sender));
  await coroutine.start();
  await pass('it is acknowledged', () => isAcknowledged(sender));
  t.ok(layer);
});

t.test('start and stop may be called twice', async (t) => {
  const { coroutine, path } = await setUp(t);
  await Promise.all([coroutine.start(), coroutine.start()]);
  await Promise.all([coroutine.stop(), coroutine.stop()]);
  t.equal(readFileSync(path, 'utf8').match(/the log begins/g)?.length, 1);
});

t.test('reopen follows a rotation', async (t) => {
  const { coroutine, newSender, pass, path } = await setUp(t);
  await coroutine.start();
  renameSync(path, `${path}.1`);
  await coroutine.reopen();
  const sender = newSender('web');
  sender.write('INFO', 'x', 'new');
  await pass('it is acknowledged', () => isAcknowledged(sender));
  t.match(readFileSync(path, 'utf8'), /x: new\n/);
  await sender.close();
});

t.test('single records of other processes are written as its own, with where they came from', async (t) => {
  const { coroutine, sender, pass, path } = await setUp(t);
  await coroutine.start();
  const send = (record: Omit<LogRecord, 'type' | 'name'> & { name?: string }) =>
    coroutine.accept(parseLogRequest({ type: 'log.record', ...record }));
  send({ name: 'lino.core', levelno: 35, msg: 'between', process: 77, created: 1_795_539_601.25 });
  send({ level: 'warn', message: 'named\x1b', fields: { a: 1 }, processName: 'MainProcess' });
  send({ level: 10, message: 'low', exc_text: 'Traceback:\n  boom' });
  send({ name: 'quiet.part', level: 'warning', message: 'below the level of its logger' });
  send({ levelname: 'NOTICE', message: 'unknown' });
  await pass('all is acknowledged', () => isAcknowledged(sender));
  const text = readFileSync(path, 'utf8');
  t.match(
    text,
    /^2026-11-24 17:00:01\.250\+00:00 WARNING worker\[9\]#1 lino\.core: between \{"process":"77"\}$/m,
  );
  t.match(text, /WARNING worker\[9\]#2 root: named\\x1b \{"a":1,"process":"MainProcess"\}\n/);
  t.match(text, /DEBUG worker\[9\]#3 root: low \n {4}Traceback: \n {6}boom\n/);
  t.match(text, /INFO worker\[9\]#4 root: unknown\n/);
});

const deadOwner: Owner = { ...ownProcess(), start: '1' };
const foreignOwner: Owner = { ...ownProcess(), host: 'elsewhere' };

function spoolFile(owner: Owner, first: number, count: number): string {
  const header = formatSpoolHeader({ sender: 'web[5]', epoch: 'e5', owner, acked: 0 });
  const lines = Array.from({ length: count }, (_, i) =>
    recordOf('web[5]', first + i, { message: `record ${first + i}` }),
  );
  return header + lines.join('');
}

t.test('the spool of a dead process is brought in and removed', async (t) => {
  const { coroutine, adopter, spoolDirectory, pass, path } = await setUp(t);
  mkdirSync(spoolDirectory);
  const [earlier, plain] = ['web-5.e5.1.spool', 'web-5.e5.2.spool'];
  writeFileSync(join(spoolDirectory, earlier), spoolFile(deadOwner, 1, 3000));
  writeFileSync(join(spoolDirectory, plain), `${spoolFile(deadOwner, 3001, 10)}2026-11-24 20:00`);
  await coroutine.start();
  adopter.start();
  await pass('the files are gone', () => readdirSync(spoolDirectory).every((name) => !name.includes('e5')));
  const numbers = (await readLog(path))
    .filter((record) => record.sender === 'web[5]')
    .map((record) => record.number);
  t.strictSame(
    numbers,
    Array.from({ length: 3010 }, (_, i) => i + 1),
  );
});

t.test('the spool of a living process is left to it, and one that is none is reported once', async (t) => {
  const { coroutine, adopter, spoolDirectory, pass, path, clock, sender } = await setUp(t);
  mkdirSync(spoolDirectory);
  writeFileSync(join(spoolDirectory, 'web-5.e5.1.spool'), spoolFile(ownProcess(), 1, 3));
  writeFileSync(join(spoolDirectory, 'api-5.e6.1.spool'), spoolFile(foreignOwner, 1, 3));
  writeFileSync(join(spoolDirectory, 'c.e7.1.spool'), 'something else\n');
  await coroutine.start();
  adopter.start();
  await pass('it is reported', () => sender.progress.accepted > 0);
  for (let scan = 0; scan < 5; scan++) {
    clock.advance(5000);
    await turns();
  }
  await pass('all is acknowledged', () => isAcknowledged(sender));
  const records = await readLog(path);
  t.notOk(records.some((record) => record.sender === 'web[5]'));
  t.equal(records.filter((record) => record.text.includes('c.e7.1.spool cannot be read')).length, 1);
  t.strictSame(readdirSync(spoolDirectory).filter((name) => /\.e[567]\.1\.spool$/.test(name)).length, 3);
});

t.test('a capacity that is too small for all senders slows them down and loses nothing', async (t) => {
  const { coroutine, newSender, pass, path } = await setUp(t, { capacity: 2 });
  await coroutine.start();
  const senders = ['a', 'b', 'c', 'd'].map(newSender);
  for (const sender of senders) {
    for (let n = 0; n < 3000; n++) sender.write('INFO', 'shop', 'x'.repeat(300));
  }
  await pass('all is acknowledged', () => senders.every(isAcknowledged));
  for (const sender of senders) {
    const found = (await readLog(path)).filter((record) => record.sender === sender.label);
    t.strictSame(
      found.map((record) => record.number),
      Array.from({ length: 3000 }, (_, i) => i + 1),
    );
    await sender.close();
  }
});
