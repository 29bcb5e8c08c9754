import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { findLogParts } from '../../../../src/log/read/files.js';
import { type LogReport, verifyLog } from '../../../../src/log/read/verify.js';
import { readCheckpoint } from '../../../../src/log/writer/checkpoint.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range } from '../../../support/log.js';
import { edit, recordsIn, writeRealLog } from '../../../support/real-log.js';

async function verify(path: string): Promise<LogReport> {
  return await verifyLog(await findLogParts(path, 'UTC'));
}

/** What a report says, without what the faults' texts are. */
function faultsOf({ faults }: LogReport) {
  return faults.map(({ text: _, epoch: __, ...fault }) => fault);
}

/** The line of the file at which a record begins. */
function lineOf(path: string, start: string): number {
  return (
    readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(start)) + 1
  );
}

t.test('what the writer wrote is sound, over rotated and compressed files', async (t) => {
  const { packed, rotated, current } = await writeRealLog(testDirectory(t));
  const report = await verify(current);
  t.same(report.faults, []);
  t.ok(report.isSound);
  t.same(
    report.files.map(({ path }) => path),
    [packed, rotated, current],
  );
  const counts = {
    first: 1,
    last: 30,
    records: 30,
    missing: 0,
    doubled: 0,
    disordered: 0,
    lost: 0,
  };
  t.same(report.senders, [
    { sender: 'web[812]', epoch: 'e1', ...counts },
    { sender: 'mail[77]', epoch: 'e1', ...counts },
  ]);
});

t.test('what the writer has written and is not there any more is reported after a clean stop', async (t) => {
  const { packed, rotated, current } = await writeRealLog(testDirectory(t));
  const check = async () =>
    await verifyLog(await findLogParts(current, 'UTC'), {
      growing: current,
      written: readCheckpoint(current),
    });
  const whole = readFileSync(current);
  t.same((await check()).faults, []);
  const records = recordsIn(whole.toString());
  writeFileSync(current, records.slice(0, -2).join(''));
  const bytes = records.slice(-2).join('').length;
  const cut = await check();
  t.match(faultsOf(cut), [
    { kind: 'shortened', file: current, problem: `${bytes} bytes of this file` },
    { kind: 'missing', sender: 'mail[77]', from: 29, to: 30, file: current },
  ]);
  const gone = {
    kind: 'shortened',
    file: current,
    problem: /^all of this file, which was removed or emptied$/,
  };
  const lost = [
    gone,
    { kind: 'missing', sender: 'web[812]', from: 21, to: 30, file: current },
    { kind: 'missing', sender: 'mail[77]', from: 21, to: 30, file: current },
  ];
  writeFileSync(current, '');
  t.match(faultsOf(await check()), lost, 'emptied');
  rmSync(current);
  t.match(faultsOf(await check()), lost, 'removed');
  for (const path of [packed, rotated]) rmSync(path);
  t.match(faultsOf(await check()), [gone], 'all are removed');
  writeFileSync(`${current}.1`, whole);
  t.same((await check()).faults, [], 'renamed, as by another program');
});

t.test(
  'a log that was removed or emptied is not complete, also when the writer has begun it anew',
  async (t) => {
    const cases: Array<[string, (path: string) => void, boolean]> = [
      ['removed', (path) => rmSync(path), false],
      ['emptied', (path) => truncateSync(path), false],
      ['renamed', (path) => renameSync(path, `${path}.1`), true],
      ['copied and emptied', (path) => copyAndEmpty(path), true],
      ['copied and emptied twice', (path) => copyAndEmptyTwice(path), true],
      ['packed', (path) => pack(path), true],
    ];
    for (const isRunning of [true, false])
      for (const [what, change, isSound] of cases) {
        const path = join(testDirectory(t), 'lino.log');
        const start = async () => {
          const writer = new LogWriter({ path, clock: new ManualClock(), timezone: 'UTC' });
          await writer.start();
          return writer;
        };
        let writer = await start();
        const write = async (numbers: number[]) => {
          writer.accept(batchOf({ numbers, acked: (numbers[0] ?? 0) - 1, base: numbers[0] ?? 0 }), () => {});
          await writer.settled();
        };
        await write([1, 2, 3]);
        if (!isRunning) await writer.stop();
        change(path);
        if (!isRunning) writer = await start();
        await write([4]);
        await writer.stop();
        const written = readCheckpoint(path);
        const report = await verifyLog(await findLogParts(path, 'UTC'), { growing: path, written });
        const position = `${what}, ${isRunning ? 'while it runs' : 'while none runs'}`;
        t.match(faultsOf(report), isSound ? [] : [{ kind: 'missing-file', file: path, line: 1 }], position);
        t.equal(report.isSound, isSound, position);
      }
  },
);

function copyAndEmpty(path: string): void {
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** The second time there is nothing in it, since no writer has noticed yet. */
function copyAndEmptyTwice(path: string): void {
  copyFileSync(path, `${path}.2`);
  truncateSync(path);
  copyFileSync(path, `${path}.1`);
}

function pack(path: string): void {
  writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
  rmSync(path);
}

t.test('an emptied file is reported as that, and doubles nothing', async (t) => {
  const { packed, rotated, current } = await writeRealLog(testDirectory(t));
  const old = readFileSync(packed);
  writeFileSync(packed, '');
  t.match(faultsOf(await verify(current)), [
    { kind: 'unreadable', file: packed, line: 1, problem: 'it is empty' },
    { kind: 'missing-file', file: rotated },
  ]);
  writeFileSync(packed, old);
  writeFileSync(`${rotated}.gz`, '');
  rmSync(rotated);
  const report = await verify(current);
  t.match(
    report.senders.map(({ missing, doubled }) => ({ missing, doubled })),
    [
      { missing: 10, doubled: 0 },
      { missing: 10, doubled: 0 },
    ],
  );
  t.same(new Set(report.faults.map(({ kind }) => kind)), new Set(['unreadable', 'missing-file', 'missing']));
});

t.test('files in an order of their own are not confused by an emptied one', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const clock = new ManualClock();
  const rotation = { every: 'never', maxBytes: 1, keepFiles: 0, keepDays: 0, compress: true } as const;
  const writer = new LogWriter({ path, clock, timezone: 'UTC', rotation });
  await writer.start();
  for (const n of range(1, 5)) {
    writer.accept(batchOf({ sender: 'web[812]', numbers: [n], acked: n - 1, base: n }), () => {});
    await writer.settled();
    await clock.advance(1000);
  }
  await writer.tidied();
  await writer.stop();
  const parts = await findLogParts(path, 'UTC');
  for (const { path: emptied } of parts.slice(0, -1)) {
    const bytes = readFileSync(emptied);
    writeFileSync(emptied, '');
    const report = await verify(path);
    t.equal(report.senders[0]?.doubled, 0, emptied);
    t.ok(
      report.faults.some(({ kind, file }) => kind === 'unreadable' && file === emptied),
      emptied,
    );
    writeFileSync(emptied, bytes);
  }
});

t.test('a deleted record is missing, where it would be', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  edit(rotated, (text) =>
    recordsIn(text)
      .filter((record) => !record.includes('web[812]#13 '))
      .join(''),
  );
  const report = await verify(current);
  t.same(faultsOf(report), [
    {
      kind: 'missing',
      sender: 'web[812]',
      from: 13,
      to: 13,
      file: rotated,
      line: lineOf(rotated, 'web[812]#14 '),
    },
  ]);
  t.match(report.senders[0], { records: 29, missing: 1, doubled: 0, disordered: 0 });
});

t.test('a doubled record is named at its second position', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  edit(rotated, (text) =>
    recordsIn(text)
      .map((record) => record.repeat(record.includes('#13 ') ? 2 : 1))
      .join(''),
  );
  const report = await verify(current);
  const position = { file: rotated, from: 13, to: 13 };
  t.same(faultsOf(report), [
    { kind: 'doubled', sender: 'web[812]', ...position, line: lineOf(rotated, 'web[812]#13 ') + 2 },
    { kind: 'doubled', sender: 'mail[77]', ...position, line: lineOf(rotated, 'mail[77]#13 ') + 2 },
  ]);
});

t.test('two swapped records are out of order, and neither missing nor doubled', async (t) => {
  const { current } = await writeRealLog(testDirectory(t));
  edit(current, (text) => {
    const records = recordsIn(text);
    const at = records.findIndex((record) => record.includes('mail[77]#23 '));
    return [...records.slice(0, at), ...records.slice(at, at + 2).reverse(), ...records.slice(at + 2)].join(
      '',
    );
  });
  const report = await verify(current);
  const line = lineOf(current, 'mail[77]#23 ');
  t.same(faultsOf(report), [
    { kind: 'disordered', sender: 'mail[77]', number: 23, after: 24, file: current, line },
  ]);
  t.match(report.senders[1], { records: 30, missing: 0, doubled: 0, disordered: 1 });
});

t.test('a file that is cut anywhere has lost its end, its beginning, or both', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  const whole = readFileSync(rotated);
  const unnoticed: string[] = [];
  for (let size = 0; size < whole.length; size += 13) {
    writeFileSync(rotated, whole.subarray(0, size));
    const cut = await verify(current);
    const isMissing = cut.faults.some(({ kind, to }) => kind === 'missing' && to === 20);
    if (cut.isSound || !isMissing) unnoticed.push(`the first ${size} bytes`);
    writeFileSync(rotated, whole.subarray(whole.length - size));
    if ((await verify(current)).isSound) unnoticed.push(`the last ${size} bytes`);
  }
  t.same(unnoticed, []);
});

t.test('a cut within a record leaves it torn, and one within a line is reported', async (t) => {
  const { current } = await writeRealLog(testDirectory(t));
  const whole = readFileSync(current, 'utf8').trimEnd();
  edit(current, () => `${whole.slice(0, whole.lastIndexOf('\n'))}\n`);
  const line = lineOf(current, 'mail[77]#30 ');
  t.same(faultsOf(await verify(current)), [
    { kind: 'torn', sender: 'mail[77]', number: 30, file: current, line },
  ]);
  edit(current, () => whole.slice(0, whole.lastIndexOf('mail[77]#30 ')));
  t.match(faultsOf(await verify(current)), [{ kind: 'cut', file: current, line }]);
});

t.test('a rotated file that is missing is noticed by its number and by its records', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  rmSync(rotated);
  const report = await verify(current);
  t.ok(report.faults.some(({ kind, file }) => kind === 'missing-file' && file === current));
  t.match(
    report.faults.filter(({ kind }) => kind === 'missing'),
    [
      { sender: 'web[812]', from: 11, to: 20, file: current },
      { sender: 'mail[77]', from: 11, to: 20, file: current },
    ],
  );
});

t.test('files that were removed at the beginning are no fault', async (t) => {
  const { packed, current } = await writeRealLog(testDirectory(t));
  rmSync(packed);
  const report = await verify(current);
  t.same(report.faults, []);
  t.match(report.senders, [{ first: 11, last: 30, records: 20 }, { first: 11 }]);
});

t.test(
  'a compressed file that is cut or damaged is named, and what could be read of it counts',
  async (t) => {
    const { packed, current } = await writeRealLog(testDirectory(t));
    const whole = readFileSync(packed);
    writeFileSync(packed, whole.subarray(0, whole.length - 9));
    t.match(
      (await verify(current)).faults.filter(({ file }) => file === packed),
      [{ kind: 'unreadable', problem: /unexpected end of file/ }],
    );
    const flipped = Buffer.from(whole);
    flipped[whole.length - 6] = (flipped[whole.length - 6] ?? 0) ^ 0xff;
    writeFileSync(packed, flipped);
    t.ok((await verify(current)).faults.some(({ kind, file }) => kind === 'unreadable' && file === packed));
  },
);

t.test('what the writer reported as lost is listed, and no fault', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const writer = new LogWriter({ path, clock: new ManualClock() });
  await writer.start();
  const accept = (batch: ReturnType<typeof batchOf>) => writer.accept(batch, () => {});
  accept(batchOf({ numbers: range(1, 9) }));
  accept(batchOf({ numbers: range(1, 4), sender: 'mail[77]' }));
  accept(batchOf({ numbers: [20], base: 20, acked: 9 }));
  await writer.stop();
  const report = await verify(path);
  t.ok(report.isSound);
  t.equal(report.records, 14);
  t.match(report.lost, [{ sender: 'web[812]', epoch: 'e1', from: 10, to: 19, file: path }]);
  t.match(report.senders, [
    { last: 20, records: 10, lost: 10, missing: 0 },
    { sender: 'mail[77]', last: 4 },
  ]);
});

t.test("lines that are none of linod's are named with their position, neighbours together", async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  edit(rotated, (text) =>
    text.replace(/^.* mail\[77\]#16 /m, 'Traceback (most recent call last):\nValueError: 1\n$&'),
  );
  appendFileSync(
    current,
    Buffer.from('2026-11-24 20:00:01.123+02:00 INFO web[812]#31 shop: \xff\0\n', 'latin1'),
  );
  const line = lineOf(rotated, 'Traceback');
  const report = await verify(current);
  t.match(faultsOf(report), [
    { kind: 'foreign', file: rotated, line, toLine: line + 1 },
    { kind: 'damaged', file: current, line: lineOf(current, 'web[812]#31 ') },
  ]);
  t.equal(report.faults[0]?.text, 'Traceback (most recent call last):');
});

t.test('a head with a wrong time, level or number is no head', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  const whole = readFileSync(rotated, 'utf8');
  for (const [from, to] of [
    ['2026-11-24', '2026-13-24'],
    ['2026-11-24', '2026-11-31'],
    ['20:00:01.123', '20:00:61.123'],
    ['+02:00', '+02;00'],
    [' INFO ', ' INFQ '],
    ['web[812]#17', 'web[812]#01'],
    ['web[812]#17', 'web[812#17'],
    [' shop:', ' sh op:'],
  ] as const) {
    writeFileSync(
      rotated,
      whole.replace(/^.* web\[812\]#17 .*/m, (head) => head.replace(from, to)),
    );
    const kinds = (await verify(current)).faults.map(({ kind }) => kind);
    t.ok(kinds.includes('foreign') && kinds.includes('missing'), `${from} → ${to}`);
  }
});

t.test('a log that is copied away and packed while it is read is read once', async (t) => {
  const { rotated, current } = await writeRealLog(testDirectory(t));
  writeFileSync(`${rotated}.gz`, gzipSync(readFileSync(rotated)).subarray(0, 50));
  t.ok((await verify(current)).isSound);
  t.equal((await findLogParts(join(dirname(current), 'absent.log'), 'UTC')).length, 0);
});

t.test('a writer that is writing its last record is waited for', async (t) => {
  const { current } = await writeRealLog(testDirectory(t));
  const whole = readFileSync(current);
  writeFileSync(current, whole.subarray(0, whole.length - 5));
  const parts = await findLogParts(current, 'UTC');
  const report = verifyLog(parts, { growing: current });
  setImmediate(() => appendFileSync(current, whole.subarray(whole.length - 5)));
  t.ok((await report).isSound);
});
