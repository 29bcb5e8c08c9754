import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ownProcess } from '../../../../src/base/process-owner.js';
import { Spool, type SpoolLimits } from '../../../../src/log/sender/spool.js';
import { readSpoolHeader } from '../../../../src/log/sender/spool-file.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range, readRecords } from '../../../support/log.js';

function setUp(t: Test, limits: Partial<SpoolLimits> = {}) {
  const directory = join(testDirectory(t), 'spool');
  const clock = new ManualClock();
  const header = { sender: 'web[812]', epoch: 'e1', owner: ownProcess() };
  const spool = new Spool({ directory, header, clock, limits, onTrouble: () => {} });
  t.teardown(() => spool.close());
  /** The numbers in each file, in the order in which an adopter takes them. */
  const files = () =>
    readdirSync(directory)
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .map((name) => readRecords(readFileSync(join(directory, name), 'utf8').replace(/^#.*\n/, '')))
      .map((records) => records.map(({ number }) => number));
  const append = (first: number, last = first) => {
    const batch = batchOf({ numbers: range(first, last) });
    return spool.append({ ...batch, bytes: Buffer.from(batch.bytes) });
  };
  return { directory, clock, spool, append, files };
}

t.test(
  'what waited in memory goes to disk before what comes next, so that files have numbers in their order',
  async (t) => {
    const { directory, clock, spool, append, files } = setUp(t, { segmentBytes: 1 });
    append(1);
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'in the way');
    append(2, 3);
    append(4);
    t.equal(spool.unsafeCount, 3);
    rmSync(directory);
    append(5);
    t.equal(spool.unsafeCount, 4, 'for a second it is not tried');
    clock.advance(1000);
    append(6);
    t.equal(spool.unsafeCount, 0, 'a kill would lose nothing');
    t.equal(spool.size.memoryBytes, 0);
    t.strictSame(files(), [[2, 3], [4], [5], [6]]);
    t.match(spool.next(3, 1000), { first: 4, count: 1 });
  },
);

t.test(
  'of what waits in memory as much goes to disk as there is room for, and nothing overtakes it',
  async (t) => {
    const { directory, clock, spool, append, files } = setUp(t, { diskBytes: 420, segmentBytes: 1 });
    mkdirSync(join(directory, '..'), { recursive: true });
    writeFileSync(directory, 'in the way');
    for (let n = 1; n <= 5; n++) append(n);
    rmSync(directory);
    clock.advance(1000);
    append(6);
    const [room = 0] = [files().length];
    t.ok(room > 0 && room < 5, `${room} files have room`);
    t.strictSame(
      files(),
      range(1, room).map((n) => [n]),
    );
    t.match(spool.next(room, 1000), { first: room + 1 });
    spool.release(room);
    append(7);
    t.strictSame(files()[0], [room + 1], 'what was acknowledged has made room');
    t.match(
      range(0, 6).map((after) => spool.next(after, 1000)?.first),
      [...range(0, 6)].map((after) => Math.max(after, room) + 1),
    );
  },
);

t.test('a spool file of another version of linod is reported as that, and left as it is', async (t) => {
  const directory = testDirectory(t);
  const path = join(directory, 'web-5.e5.1.spool');
  const text = '# linod log spool 2 {"sender":"web[5]"}\nsomething new\n';
  writeFileSync(path, text);
  t.throws(() => readSpoolHeader(path), {
    code: 'LINOD_ERR_BAD_SPOOL',
    message: /: another version of linod wrote it; a worker of that version can send it$/,
  });
  t.equal(readFileSync(path, 'utf8'), text);
});
