import { mkdirSync, readdirSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SpoolAdopter } from '../../../src/log/adopter.js';
import type { Reply } from '../../../src/log/inbox.js';
import type { LogRecords } from '../../../src/log/messages.js';
import { formatSpoolHeader } from '../../../src/log/spool-file.js';
import { ownProcess } from '../../../src/owner.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { range, recordOf } from '../../support/log.js';
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
  const taken: number[] = [];
  /** So many batches it does not take, as one that could not begin yet. */
  const writer = { drops: 0 };
  const accept = ({ first, count, sender, epoch }: LogRecords, reply: Reply) => {
    if (writer.drops-- > 0) return;
    taken.push(first);
    reply({ type: 'log.ack', sender, epoch, last: first + count - 1 });
  };
  const troubles: unknown[] = [];
  const onTrouble = (error: unknown) => troubles.push(error);
  const adopter = new SpoolAdopter({ directories: [directory], clock, accept, onTrouble });
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
  return { directory, spool, taken, troubles, writer, scan };
}

t.test('while the first file of a process is not in the log, its next ones wait', async (t) => {
  const { directory, spool, taken, writer, scan } = setUp(t);
  spool('web-5.e5.1.spool', 1);
  spool('web-5.e5.2.spool', 3);
  writer.drops = 1;
  await scan();
  t.same(taken, [], 'else the records of the first would be told to be lost');
  await scan();
  t.same(taken, [1, 3]);
  t.same(readdirSync(directory), []);
});

t.test(
  'a directory in which there was nothing for long is looked into when something has come',
  async (t) => {
    const { directory, spool, taken, scan } = setUp(t);
    const longAgo = Date.now() / 1000 - 3600;
    for (let first = 1; first < 7; first += 2) {
      utimesSync(directory, longAgo, longAgo);
      await scan();
      spool(`web-5.e5.${first}.spool`, first);
      await scan();
      t.equal(taken.at(-1), first);
    }
    utimesSync(directory, longAgo, longAgo);
    await scan();
    rmdirSync(directory);
    await scan();
    mkdirSync(directory);
    spool('web-5.e5.7.spool', 7);
    await scan();
    t.same(taken, [1, 3, 5, 7]);
  },
);

t.test('each batch of a file says that all of the file is still here', async (t) => {
  const directory = join(testDirectory(t), 'spool');
  mkdirSync(directory);
  const header = formatSpoolHeader({ sender: 'web[5]', epoch: 'e5', owner: dead, acked: 0 });
  const lines = range(1, 3000).map((n) => recordOf('web[5]', n, { message: `record ${n}` }));
  writeFileSync(join(directory, 'web-5.e5.1.spool'), header + lines.join(''));
  const bases: number[] = [];
  const accept = ({ base, first, count, sender, epoch }: LogRecords, reply: Reply) => {
    bases.push(base);
    reply({ type: 'log.ack', sender, epoch, last: first + count - 1 });
  };
  await new SpoolAdopter({ directories: [directory], clock: new ManualClock(), accept }).scan();
  t.ok(bases.length > 1);
  t.ok(
    bases.every((base) => base === 1),
    'else a batch before it that was not taken would be told to be lost',
  );
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
