import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SpoolAdopter } from '../../../src/log/sender/adopter.js';
import { formatSpoolHeader } from '../../../src/log/sender/spool-file.js';
import { FileLock } from '../../../src/membership/file-lock.js';
import { ownProcess } from '../../../src/owner.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { BadTransport, noFaults, range, recordOf } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { until } from '../../support/until.js';

const dead = { ...ownProcess(), start: '1' };

function setUp(t: Test) {
  const directory = join(testDirectory(t), 'spool');
  mkdirSync(directory);
  const spool = (file: string, first: number) => {
    const header = formatSpoolHeader({ sender: 'web[5]', epoch: 'e5', owner: dead, acked: 0 });
    const lines = [first, first + 1].map((n) => recordOf('web[5]', n, { message: `record ${n}` }));
    writeFileSync(join(directory, file), header + lines.join(''));
  };
  const clock = new ManualClock();
  const transport = new BadTransport(clock, new Random(1), { ...noFaults });
  const taken: number[] = [];
  transport.receiver = ({ first, count, sender, epoch }, reply) => {
    taken.push(first);
    reply({ type: 'log.ack', sender, epoch, last: first + count - 1 });
  };
  const troubles: unknown[] = [];
  const onTrouble = (error: unknown) => troubles.push(error);
  const adopter = new SpoolAdopter({ directories: [directory], clock, transport, onTrouble });
  const scan = async () => {
    let isOver = false;
    const scanned = adopter.scan().then(() => {
      isOver = true;
    });
    await until('the scan is over', () => {
      clock.advance(1000);
      return isOver;
    });
    await scanned;
  };
  return { directory, spool, taken, troubles, transport, scan };
}

t.test('the files of a process are sent in order, as their sender would have sent them', async (t) => {
  const { directory, spool, transport, scan } = setUp(t);
  spool('web-5.e5.2.spool', 3);
  spool('web-5.e5.10.spool', 5);
  spool('web-5.e5.1.spool', 1);
  await scan();
  t.match(transport.delivered, [
    { sender: 'web[5]', epoch: 'e5', first: 1, count: 2, acked: 0, base: 1 },
    { first: 3, count: 2 },
    { first: 5, count: 2 },
  ]);
  t.same(readdirSync(directory), []);
});

t.test('what nobody takes is left under its name, for the next who looks', async (t) => {
  const { directory, spool, taken, transport, scan } = setUp(t);
  spool('web-5.e5.1.spool', 1);
  spool('web-5.e5.2.spool', 3);
  transport.faults = { ...noFaults, lose: 1 };
  await scan();
  t.same(readdirSync(directory), ['web-5.e5.1.spool', 'web-5.e5.2.spool']);
  transport.faults = noFaults;
  await scan();
  t.same(taken, [1, 3]);
  t.same(readdirSync(directory), []);
});

t.test('while another adopter has the lock of the directory, its files are left to that one', async (t) => {
  const { directory, spool, taken, scan } = setUp(t);
  spool('web-5.e5.1.spool', 1);
  const lock = new FileLock(`${directory}.lock`, 'another');
  t.ok(lock.take());
  await scan();
  t.same(taken, []);
  t.same(readdirSync(directory), ['web-5.e5.1.spool']);
  lock.release();
  await scan();
  t.same(taken, [1]);
});

t.test('each batch of a file says that all of the file is still here', async (t) => {
  const { directory, transport, scan } = setUp(t);
  const header = formatSpoolHeader({ sender: 'web[5]', epoch: 'e5', owner: dead, acked: 0 });
  const lines = range(1, 9000).map((n) => recordOf('web[5]', n, { message: `record ${n}` }));
  writeFileSync(join(directory, 'web-5.e5.1.spool'), header + lines.join(''));
  transport.faults = { ...noFaults, lose: 0.2 };
  for (let i = 0; i < 20 && readdirSync(directory).length > 0; i++) await scan();
  t.ok(transport.delivered.length > 2);
  for (const { base, acked } of transport.delivered)
    t.equal(base, acked + 1, 'else a batch before it that was not taken would be told to be lost');
});

t.test('a file that is none does not keep the others of its process waiting', async (t) => {
  const { directory, spool, taken, scan } = setUp(t);
  writeFileSync(join(directory, 'web-5.e5.1.spool'), 'something else\n');
  spool('web-5.e5.2.spool', 3);
  await scan();
  t.same(taken, [3]);
});

t.test('a file that cannot be opened is told once, and tried again', async (t) => {
  const { directory, spool, taken, troubles, scan } = setUp(t);
  const path = join(directory, 'web-5.e5.1.spool');
  mkdirSync(path);
  await scan();
  await scan();
  t.match(troubles, [{ code: 'EISDIR' }]);
  t.equal(troubles.length, 1);
  rmdirSync(path);
  spool('web-5.e5.1.spool', 1);
  await scan();
  t.same(taken, [1]);
});
