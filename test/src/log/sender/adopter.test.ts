import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileLock } from '../../../../src/base/files/file-lock.js';
import { ownProcess } from '../../../../src/base/process-owner.js';
import { SpoolAdopter } from '../../../../src/log/sender/adopter.js';
import { LogSender } from '../../../../src/log/sender/sender.js';
import { formatSpoolHeader } from '../../../../src/log/sender/spool-file.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { BadTransport, noFaults, range, recordOf } from '../../../support/log.js';
import { Random } from '../../../support/random.js';
import { turns, until } from '../../../support/until.js';

const dead = { ...ownProcess(), start: '1' };
const elsewhere = { ...ownProcess(), host: 'container/pid:[1]' };

function setUp(t: Test) {
  const directory = join(testDirectory(t), 'spool');
  mkdirSync(directory);
  const spool = (file: string, first: number, owner = dead) => {
    const header = formatSpoolHeader({ sender: 'web[5]', epoch: 'e5', owner, acked: 0 });
    const lines = [first, first + 1].map((n) => recordOf('web[5]', n, { message: `record ${n}` }));
    writeFileSync(join(directory, file), header + lines.join(''));
  };
  const clock = new ManualClock();
  const transport = new BadTransport(clock, new Random(1), { ...noFaults });
  const taken: number[] = [];
  let written = 0;
  transport.receiver = ({ first, count, sender, epoch }, reply) => {
    const last = first + count - 1;
    for (let number = first; number <= last; number++) if (number > written) taken.push(number);
    written = Math.max(written, last);
    reply({ type: 'log.ack', sender, epoch, last: written });
  };
  const adopted: Array<{ sender: string; records: number }> = [];
  const troubles: unknown[] = [];
  const onTrouble = (error: unknown) => troubles.push(error);
  const adopter = new SpoolAdopter({
    directories: [directory],
    clock,
    transport,
    onTrouble,
    onAdopted: (told) => adopted.push(told),
  });
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
  const know = (number: number) => {
    written = number;
  };
  return { directory, spool, taken, adopted, know, troubles, transport, clock, scan };
}

t.test('the files of a process are sent in order, as their sender would have sent them', async (t) => {
  const { directory, spool, transport, scan } = setUp(t);
  spool('web-5.e5.2.spool', 3);
  spool('web-5.e5.10.spool', 5);
  spool('web-5.e5.1.spool', 1);
  await scan();
  t.match(transport.delivered, [
    { sender: 'web[5]', epoch: 'e5', first: 1, count: 1, acked: 0, base: 1 },
    { first: 2, count: 1, acked: 1, base: 2 },
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
  t.same(taken, [1, 2, 3, 4]);
  t.same(readdirSync(directory), []);
});

t.test('a file that ends before the log does is removed', async (t) => {
  const { directory, spool, taken, adopted, know, scan } = setUp(t);
  spool('web-5.e5.1.spool', 1);
  know(9);
  await scan();
  t.same(taken, []);
  t.same(adopted, []);
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
  t.same(taken, [1, 2]);
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
    t.equal(base, acked + 1, 'else a batch before it that was not taken would be reported as lost');
});

t.test('a file that is none does not keep the others of its process waiting', async (t) => {
  const { directory, spool, taken, scan } = setUp(t);
  writeFileSync(join(directory, 'web-5.e5.1.spool'), 'something else\n');
  spool('web-5.e5.2.spool', 3);
  await scan();
  t.same(taken, [3, 4]);
});

t.test('a file that cannot be opened is reported once, and tried again', async (t) => {
  const { directory, spool, taken, troubles, scan } = setUp(t);
  const path = join(directory, 'web-5.e5.1.spool');
  mkdirSync(path);
  await scan();
  await scan();
  t.match(troubles, [{ code: 'LINOD_ERR_BAD_SPOOL', message: /it is not a regular file/ }]);
  t.equal(troubles.length, 1);
  rmdirSync(path);
  spool('web-5.e5.1.spool', 1);
  await scan();
  t.same(taken, [1, 2]);
});

t.test(
  'of what the log has already only the first record is sent, and only what is new is reported',
  async (t) => {
    const { spool, taken, adopted, know, transport, directory, scan } = setUp(t);
    for (const first of [1, 3, 5]) spool(`web-5.e5.${first}.spool`, first);
    know(5);
    await scan();
    t.match(transport.delivered, [
      { first: 1, count: 1 },
      { first: 6, count: 1 },
    ]);
    t.same(taken, [6]);
    t.same(adopted, [{ sender: 'web[5]', records: 1 }]);
    t.same(readdirSync(directory), []);
    spool('web-5.e5.7.spool', 5);
    await scan();
    t.equal(adopted.length, 1, 'what the log has long had is not reported at all');
  },
);

t.test('a pipe and a link keep nobody waiting, and are reported once', async (t) => {
  const { directory, spool, taken, troubles, scan } = setUp(t);
  execFileSync('mkfifo', [join(directory, 'a-1.e1.1.spool')]);
  symlinkSync('/dev/zero', join(directory, 'b-2.e2.1.spool'));
  spool('web-5.e5.1.spool', 1);
  await scan();
  await scan();
  t.same(taken, [1, 2]);
  t.match(troubles, [
    { code: 'LINOD_ERR_BAD_SPOOL', message: /a-1\.e1\.1\.spool cannot be read: it is not a regular file/ },
    { code: 'LINOD_ERR_BAD_SPOOL', message: /b-2\.e2\.1\.spool cannot be read: it is not a regular file/ },
  ]);
  t.equal(troubles.length, 2);
});

t.test(
  'the spool of another container is taken within seconds of its last record, and removed',
  async (t) => {
    const { directory, spool, taken, adopted, scan } = setUp(t);
    spool('web-5.e5.1.spool', 1, elsewhere);
    await scan();
    t.same(taken, [], 'its sender may be about to go on');
    const before = Date.now() / 1000 - 6;
    utimesSync(join(directory, 'web-5.e5.1.spool'), before, before);
    await scan();
    t.same(taken, [1, 2]);
    t.match(adopted, [{ records: 2 }]);
    t.same(readdirSync(directory), []);
  },
);

t.test('what a sender that cannot be seen adds meanwhile is left for the next look', async (t) => {
  const { directory, spool, taken, transport, scan } = setUp(t);
  const path = join(directory, 'web-5.e5.1.spool');
  const age = () => {
    const before = Date.now() / 1000 - 6;
    utimesSync(path, before, before);
  };
  spool('web-5.e5.1.spool', 1, elsewhere);
  age();
  const { receiver } = transport;
  let isAdded = false;
  transport.receiver = (batch, reply) => {
    if (!isAdded) appendFileSync(path, recordOf('web[5]', 3, { message: 'record 3' }));
    isAdded = true;
    receiver?.(batch, reply);
  };
  await scan();
  t.same(readdirSync(directory), ['web-5.e5.1.spool']);
  age();
  await scan();
  t.same(taken, [1, 2, 3]);
  t.same(readdirSync(directory), []);
});

t.test('a sender whose spool file was removed goes on in another', async (t) => {
  const { directory, clock, scan } = setUp(t);
  const sender = new LogSender({ name: 'api', pid: 7, clock, settings: { spoolDirectory: directory } });
  const log = async (message: string) => {
    sender.write('INFO', 'shop', message);
    clock.advance(50);
    await turns();
  };
  await log('first');
  const [name = ''] = readdirSync(directory);
  rmSync(join(directory, name));
  await log('second');
  const [next = ''] = readdirSync(directory);
  t.not(next, name);
  t.match(readFileSync(join(directory, next), 'utf8'), /api\[7\]#2 shop: second\n$/);
  await scan();
  t.same(readdirSync(directory), [next], 'it lives');
  sender.saveAtExit();
});
