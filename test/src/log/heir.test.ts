import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Heir } from '../../../src/log/heir.js';
import { LogSender } from '../../../src/log/sender.js';
import { formatSpoolHeader } from '../../../src/log/spool-file.js';
import { LogWriter } from '../../../src/log/writer.js';
import { ownProcess } from '../../../src/owner.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { BadTransport, batchOf, MemoryPositionStore, range, readLog } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { turns, until } from '../../support/until.js';

/** Leaves a spool file as a process that was killed does. */
function leave(directory: string, name: string, numbers: readonly number[]): void {
  const sender = `${name}[7]`;
  // Process numbers begin at 1 and end far below this one.
  const owner = { ...ownProcess(), pid: 2 ** 30 };
  const { bytes } = batchOf({ numbers, sender });
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, `${name}-7.e7.1.spool`),
    Buffer.concat([Buffer.from(formatSpoolHeader({ sender, epoch: 'e7', owner, acked: 0 })), bytes]),
  );
}

async function setUp(t: Test, readsSpool: boolean) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const path = join(directory, 'lino.log');
  const spoolDirectory = join(directory, 'spool');
  const spoolDirectories = readsSpool ? [spoolDirectory] : [];
  const writer = new LogWriter({ path, clock, positions: new MemoryPositionStore(), spoolDirectories });
  t.teardown(() => writer.stop());
  await writer.start();
  const wire = new BadTransport(clock, new Random(1));
  wire.receiver = (request, reply) => writer.accept(request, reply);
  const transport = new Heir({ transport: wire, name: 'web', spoolDirectory, clock });
  t.teardown(() => transport.close());
  const sender = new LogSender({ name: 'web', pid: 8, transport, spoolDirectory, clock, tellsPlaces: true });
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i += 50) {
      clock.advance(50);
      await turns(5);
    }
  };
  const numbers = async (label: string) =>
    (await readLog(path)).filter(({ sender }) => sender === label).map(({ number }) => number);
  return { sender, spoolDirectory, pass, numbers };
}

t.test('where the writer is on another machine, a process brings in what one of its name left', async (t) => {
  const { sender, spoolDirectory, pass, numbers } = await setUp(t, false);
  leave(spoolDirectory, 'web', range(1, 20));
  leave(spoolDirectory, 'api', range(1, 3));
  sender.write('INFO', 'shop', 'the next process');
  await until('the records are in the log', async () => {
    await pass(500);
    return (await numbers('web[7]')).length === 20;
  });
  t.strictSame(await numbers('web[7]'), range(1, 20));
  t.strictSame(await numbers('web[8]'), [1]);
  await until('its file is gone', async () => {
    await pass(500);
    return !readdirSync(spoolDirectory).some((file) => file.startsWith('web-7'));
  });
  t.strictSame(
    readdirSync(spoolDirectory).filter((file) => file.startsWith('api')),
    ['api-7.e7.1.spool'],
    'that of another name is for others',
  );
  t.strictSame(await numbers('api[7]'), []);
});

t.test('where the writer reads the spool itself, nothing is brought in here', async (t) => {
  const { sender, spoolDirectory, pass, numbers } = await setUp(t, true);
  leave(spoolDirectory, 'web', range(1, 20));
  sender.write('INFO', 'shop', 'the next process');
  await until('its own record is in the log', async () => {
    await pass(100);
    return (await numbers('web[8]')).length === 1;
  });
  await pass(20_000);
  t.strictSame(await numbers('web[7]'), []);
});
