import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ownProcess } from '../../../../src/base/process-owner.js';
import type { LogAnswer, LogRecords } from '../../../../src/log/messages.js';
import { checkpointPath } from '../../../../src/log/writer/checkpoint.js';
import { LogWriter, type LogWriterOptions, type Refusal } from '../../../../src/log/writer/writer.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import {
  batchOf,
  range,
  readLog,
  readRecords,
  restoreCheckpoint,
  savedCheckpoint,
} from '../../../support/log.js';
import { turns, until } from '../../../support/until.js';

interface Setting {
  readonly path: string;
  readonly clock: ManualClock;
  readonly troubles: unknown[];
  readonly refusals: Refusal[];
}

function setting(t: Test): Setting {
  return {
    path: join(testDirectory(t), 'log', 'lino.log'),
    clock: new ManualClock(),
    troubles: [],
    refusals: [],
  };
}

async function startWriter(
  t: Test,
  { troubles, refusals, ...setting }: Setting,
  more: Partial<LogWriterOptions> = {},
) {
  const writer = new LogWriter({
    ...setting,
    onTrouble: (error) => troubles.push(error),
    onRefused: (refusal) => refusals.push(refusal),
    ...more,
  });
  t.teardown(() => writer.stop());
  await writer.start();
  const answers: LogAnswer[] = [];
  const accept = (batch: LogRecords) => writer.accept(batch, (answer) => answers.push(answer));
  const write = async (...batches: LogRecords[]) => {
    for (const batch of batches) accept(batch);
    await writer.settled();
  };
  return { writer, answers, accept, write };
}

/** As if the process had been killed: it saves nothing more. */
async function kill(writer: LogWriter, path: string): Promise<void> {
  // What it saves when it starts is saved.
  await writer.tidied();
  const saved = savedCheckpoint(path);
  await writer.stop();
  restoreCheckpoint(path, saved);
}

function replaceFile(path: string, text: string): void {
  rmSync(path);
  writeFileSync(path, text);
}

async function numbers(path: string, sender = 'web[812]'): Promise<number[]> {
  return (await readLog(path)).filter((record) => record.sender === sender).map((record) => record.number);
}

async function notes(path: string): Promise<string[]> {
  return (await readLog(path)).filter((record) => record.sender === undefined).map((record) => record.text);
}

t.test('batches become lines, after a note of whose lines they are', async (t) => {
  const to = setting(t);
  const { write, answers } = await startWriter(t, to);
  await write(batchOf({ numbers: [1, 2] }));
  const lines = readFileSync(to.path, 'utf8').split('\n');
  t.match(lines[0], / INFO - linod\.log: the log begins \{"file":"/);
  t.match(lines[1], / INFO - linod\.log: web\[812\] begins \{"sender":"web\[812\]","epoch":"e1","last":0\}$/);
  t.strictSame(lines.slice(2), [
    '2026-11-24 20:00:01.123+02:00 INFO web[812]#1 shop: text 1',
    '2026-11-24 20:00:01.123+02:00 INFO web[812]#2 shop: text 2',
    '',
  ]);
  t.strictSame(answers, [{ type: 'log.ack', sender: 'web[812]', epoch: 'e1', last: 2 }]);
});

t.test('many batches that wait go out in one write, with one acknowledgement a sender', async (t) => {
  const to = setting(t);
  let writes = 0;
  const fence = { ensure: () => {}, assertHeld: () => writes++ };
  const { write, answers } = await startWriter(t, to, { fence });
  const before = writes;
  await write(
    batchOf({ numbers: [1, 2] }),
    batchOf({ numbers: [1], sender: 'api[9]' }),
    batchOf({ numbers: [3, 4] }),
  );
  t.ok(writes - before <= 2);
  t.equal(answers.length, 2);
  t.strictSame(await numbers(to.path), [1, 2, 3, 4]);
});

t.test('acknowledgements are gathered: at once, and then four a second', async (t) => {
  const to = setting(t);
  const { write, answers } = await startWriter(t, to);
  for (let number = 1; number <= 10; number++) {
    await write(batchOf({ numbers: [number] }));
    to.clock.advance(50);
  }
  t.match(answers, [{ last: 1 }, { last: 5 }]);
  to.clock.advance(250);
  t.match(answers.slice(2), [{ last: 10 }]);
});

t.test('what was reported as lost stays lost', async (t) => {
  const to = setting(t);
  const { write, writer } = await startWriter(t, to);
  await write(batchOf({ numbers: [5, 6], base: 5 }));
  t.match((await notes(to.path)).at(-1), /^4 records of web\[812\] lost: #1-4 /);
  await write(batchOf({ numbers: range(1, 8) }));
  t.strictSame(await numbers(to.path), [5, 6, 7, 8]);
  await kill(writer, to.path);
  const next = await startWriter(t, to);
  await next.write(batchOf({ numbers: range(1, 9) }));
  t.strictSame(await numbers(to.path), range(5, 9));
});

t.test('what comes again is written once, also if only a part of it is new', async (t) => {
  const to = setting(t);
  const { write, answers } = await startWriter(t, to);
  await write(batchOf({ numbers: range(1, 5) }));
  await write(batchOf({ numbers: range(1, 5) }));
  await write(batchOf({ numbers: range(3, 8) }), batchOf({ numbers: range(2, 9) }));
  t.strictSame(await numbers(to.path), range(1, 9));
  to.clock.advance(250);
  t.match(answers.at(-1), { last: 9 });
});

t.test('what comes behind a hole is not written before what is missing', async (t) => {
  const to = setting(t);
  const { write, answers } = await startWriter(t, to);
  await write(batchOf({ numbers: [3, 4] }), batchOf({ numbers: [5] }));
  t.strictSame(answers, [], 'so its sender sends it again');
  t.strictSame(await numbers(to.path), []);
  await write(batchOf({ numbers: [1, 2] }), batchOf({ numbers: [3, 4] }), batchOf({ numbers: [5] }));
  t.strictSame(await numbers(to.path), range(1, 5));
});

t.test('what cannot come any more is reported', async (t) => {
  const to = setting(t);
  const { write } = await startWriter(t, to);
  await write(batchOf({ numbers: [1] }), batchOf({ numbers: [39], base: 39, acked: 1 }));
  t.match((await notes(to.path)).at(-1), /^37 records of web\[812\] lost: #2-38 \{.*"from":2,"to":38\}$/);
  t.strictSame(await numbers(to.path), [1, 39]);

  restoreCheckpoint(to.path);
  const next = await startWriter(t, to);
  await next.write(batchOf({ numbers: [40] }));
  t.strictSame(await numbers(to.path), [1, 39, 40], 'and read back');
});

t.test('a batch that lies is refused and reported', async (t) => {
  const to = setting(t);
  const { write, answers } = await startWriter(t, to);
  await write({ ...batchOf({ numbers: [1, 2] }), count: 3 });
  await write(batchOf({ numbers: [1, 3] }));
  t.match(to.refusals, [
    { sender: 'web[812]', first: 1, count: 3, problem: 'it ends before #3' },
    { problem: 'the head of web[812]#2 is missing' },
  ]);
  t.strictSame(answers, []);
});

t.test(
  'a sender that missed the acknowledgement is answered again when it asks by sending again',
  async (t) => {
    const to = setting(t);
    const { write, answers } = await startWriter(t, to);
    await write(batchOf({ numbers: [1, 2] }));
    to.clock.advance(1000);
    await write(batchOf({ numbers: [1, 2] }));
    t.match(answers, [{ last: 2 }, { last: 2 }]);
  },
);

t.test('a new writer knows what the file has, with a checkpoint and without', async (t) => {
  for (const keep of [true, false]) {
    const to = setting(t);
    const first = await startWriter(t, to);
    await first.write(batchOf({ numbers: range(1, 5) }));
    to.clock.advance(5000);
    await until('a checkpoint is saved', () => /"last":5/.test(savedCheckpoint(to.path) ?? ''));
    await first.write(batchOf({ numbers: range(6, 9) }));
    await kill(first.writer, to.path);
    if (!keep) restoreCheckpoint(to.path);
    const second = await startWriter(t, to);
    await second.write(batchOf({ numbers: range(1, 12) }));
    t.strictSame(await numbers(to.path), range(1, 12));
  }
});

t.test('two senders of one label are distinguished, also when the file is read back', async (t) => {
  const to = setting(t);
  const first = await startWriter(t, to);
  const one = { epoch: 'e1', message: 'one' };
  const two = { epoch: 'e2', message: 'two' };
  await first.write(batchOf({ ...one, numbers: [1, 2] }));
  await first.write(batchOf({ ...two, numbers: [1] }));
  await first.write(batchOf({ ...one, numbers: [3] }));
  await kill(first.writer, to.path);
  restoreCheckpoint(to.path);
  const second = await startWriter(t, to);
  await second.write(batchOf({ ...one, numbers: range(1, 4) }), batchOf({ ...two, numbers: range(1, 3) }));
  const records = (await readLog(to.path)).filter((record) => record.sender !== undefined);
  t.strictSame(
    records.map((record) => record.text),
    ['one 1', 'one 2', 'two 1', 'one 3', 'one 4', 'two 2', 'two 3'],
  );
});

t.test('an unfinished record is removed at the start, and written when it comes again', async (t) => {
  const cases: Array<[string, (whole: Buffer) => Buffer]> = [
    ['in the middle of a line', (whole) => whole.subarray(0, -4)],
    ['without its newline', (whole) => whole.subarray(0, -1)],
    ['after the first of its lines', (whole) => whole.subarray(0, whole.indexOf('\n') + 1)],
    ['in the middle of a character', (whole) => whole.subarray(0, whole.indexOf('é') + 1)],
    ['after one character', (whole) => whole.subarray(0, 1)],
  ];
  for (const [where, tear] of cases) {
    const to = setting(t);
    const first = await startWriter(t, to);
    await first.write(batchOf({ numbers: [1] }));
    await kill(first.writer, to.path);
    const batch = batchOf({ numbers: [2], message: 'é\nof several\nlines' });
    appendFileSync(to.path, tear(Buffer.from(batch.bytes)));
    const second = await startWriter(t, to);
    await second.write(batch);
    t.strictSame(
      (await readLog(to.path)).filter(({ sender }) => sender !== undefined).map(({ text }) => text),
      ['text 1', 'é\nof several\nlines 2'],
      where,
    );
    t.match((await notes(to.path)).at(-1), /ended before it finished the last record: \d+ bytes removed/);
  }
});

t.test('text of another program at the end of the file is left as it is', async (t) => {
  const to = setting(t);
  const first = await startWriter(t, to);
  await first.write(batchOf({ numbers: [1] }));
  await first.writer.stop();
  appendFileSync(to.path, 'Traceback (most recent call last): ');
  const second = await startWriter(t, to);
  await second.write(batchOf({ numbers: [1, 2] }));
  const lines = readFileSync(to.path, 'utf8').split('\n');
  t.ok(lines.includes('Traceback (most recent call last): '));
  t.match(lines.at(-2), / web\[812\]#2 /);
  t.equal(lines.filter((line) => line.includes('web[812]#1 ')).length, 1);
});

t.test('a file that was renamed while no writer ran counts, and is repaired', async (t) => {
  const to = setting(t);
  const first = await startWriter(t, to);
  await first.write(batchOf({ numbers: [1, 2, 3] }));
  await kill(first.writer, to.path);
  appendFileSync(to.path, batchOf({ numbers: [4] }).bytes.subarray(0, -3));
  renameSync(to.path, `${to.path}.1`);
  // Somebody's directory beside it keeps nobody from writing.
  mkdirSync(`${to.path}.0`);
  const second = await startWriter(t, to);
  rmSync(`${to.path}.0`, { recursive: true });
  await second.write(batchOf({ numbers: range(1, 5) }));
  t.strictSame(await numbers(to.path), range(1, 5));
  t.match((await notes(to.path)).at(-1), /^web\[812\] continues at #4 /);
});

t.test(
  'a file that was packed while no writer ran counts, and one that cannot be read to its end keeps nobody from writing',
  async (t) => {
    for (const isWhole of [true, false]) {
      const to = setting(t);
      const first = await startWriter(t, to);
      await first.write(batchOf({ numbers: [1, 2, 3] }));
      await kill(first.writer, to.path);
      const packed = gzipSync(readFileSync(to.path));
      writeFileSync(`${to.path}-20261124.gz`, isWhole ? packed : packed.subarray(0, -10));
      truncateSync(to.path);
      const second = await startWriter(t, to);
      await second.write(batchOf({ numbers: range(1, 5) }));
      t.same((await numbers(to.path)).slice(isWhole ? 0 : -2), [4, 5]);
      t.same(to.troubles, []);
    }
  },
);

t.test(
  'files that were renamed one after the other count, though the checkpoint names none but the first',
  async (t) => {
    for (const lacks of ['nothing', 'the first']) {
      const to = setting(t);
      const first = await startWriter(t, to);
      await first.write(batchOf({ numbers: [1, 2] }), batchOf({ sender: 'api[9]', numbers: [1] }));
      await first.writer.stop();
      const saved = savedCheckpoint(to.path);
      const second = await startWriter(t, to);
      await second.write(batchOf({ numbers: [3] }));
      // As logrotate names them: the first becomes .2 when the second becomes .1.
      renameSync(to.path, `${to.path}.2`);
      await second.write(batchOf({ numbers: [4] }), batchOf({ epoch: 'e2', message: 'other', numbers: [1] }));
      await second.writer.stop();
      restoreCheckpoint(to.path, saved);
      renameSync(to.path, `${to.path}.1`);
      if (lacks === 'the first') rmSync(`${to.path}.2`);
      const third = await startWriter(t, to);
      await third.write(batchOf({ numbers: range(1, 5) }), batchOf({ sender: 'api[9]', numbers: [1, 2] }));
      await third.write(batchOf({ epoch: 'e2', message: 'other', numbers: [1, 2] }));
      const texts = ['.2', '.1', ''].flatMap((end) =>
        existsSync(to.path + end) ? readRecords(readFileSync(to.path + end, 'utf8')) : [],
      );
      const own = (sender: string) => texts.filter((each) => each.sender === sender).map(({ text }) => text);
      const all = ['text 1', 'text 2', 'text 3', 'text 4', 'other 1', 'text 5', 'other 2'];
      t.strictSame(own('web[812]'), lacks === 'nothing' ? all : all.slice(3), `${lacks} is missing`);
      t.strictSame(own('api[9]'), lacks === 'nothing' ? ['text 1', 'text 2'] : ['text 2']);
      await third.writer.stop();
      rmSync(dirname(to.path), { recursive: true });
    }
  },
);

t.test('reopen continues in a new file of that name, with the numbers where they were', async (t) => {
  const to = setting(t);
  const { write, writer } = await startWriter(t, to);
  await write(batchOf({ numbers: [1, 2] }));
  renameSync(to.path, `${to.path}.1`);
  await writer.reopen();
  t.ok(existsSync(to.path));
  await write(batchOf({ numbers: [1, 2, 3] }));
  t.strictSame(await numbers(to.path), [1, 2, 3]);
  t.match(readFileSync(to.path, 'utf8'), /web\[812\] continues at #3/);
});

t.test(
  'a file that is renamed, removed or emptied under the writer is noticed before the next write',
  async (t) => {
    const cases: Array<[string, (path: string) => void, number[]]> = [
      ['renamed', (path) => renameSync(path, `${path}.1`), [1, 2, 3]],
      ['removed', (path) => rmSync(path), [3]],
      ['removed with its directory', (path) => rmSync(dirname(path), { recursive: true }), [3]],
      ['emptied', (path) => truncateSync(path), [3]],
      ['replaced by another', (path) => replaceFile(path, 'other\n'), [3]],
    ];
    for (const [what, change, expected] of cases) {
      const to = setting(t);
      const { write } = await startWriter(t, to);
      await write(batchOf({ numbers: [1, 2] }));
      change(to.path);
      await write(batchOf({ numbers: [2, 3] }));
      if (what === 'replaced by another')
        t.match(readFileSync(to.path, 'utf8'), /^other\n.* web\[812\] continues at #3/s);
      else t.strictSame(await numbers(to.path), expected, what);
      t.strictSame(to.troubles, [], what);
    }
  },
);

t.test('what another writer has appended is not written again', async (t) => {
  const to = setting(t);
  const one = await startWriter(t, to);
  restoreCheckpoint(to.path);
  const other = await startWriter(t, to);
  await one.write(batchOf({ numbers: [1, 2] }));
  await other.write(batchOf({ numbers: [1, 2, 3] }));
  await one.write(batchOf({ numbers: [3, 4] }));
  await other.write(batchOf({ numbers: [4, 5] }));
  t.strictSame(await numbers(to.path), range(1, 5));
});

t.test(
  'through a link nothing is written: records are kept and not acknowledged; it is reported once, and when it is over',
  async (t) => {
    const to = setting(t);
    const { write, writer, answers } = await startWriter(t, to);
    await write(batchOf({ numbers: [1] }));
    renameSync(to.path, `${to.path}.1`);
    const target = join(dirname(to.path), 'target');
    writeFileSync(target, 'of somebody else');
    symlinkSync(target, to.path);
    await write(batchOf({ numbers: [2] }));
    await write(batchOf({ numbers: [3] }));
    to.clock.advance(10_000);
    await turns();
    t.match(to.troubles, [{ code: 'LINOD_ERR_NOT_REGULAR_FILE' }]);
    t.equal(to.troubles.length, 1);
    t.equal(readFileSync(target, 'utf8'), 'of somebody else');
    t.equal(answers.length, 1);

    rmSync(to.path);
    while (to.troubles.length < 2) {
      to.clock.advance(5000);
      await turns();
    }
    await writer.settled();
    t.equal(to.troubles[1], undefined);
    to.clock.advance(250);
    t.match(answers.at(-1), { last: 3 });
    t.strictSame(await numbers(to.path), [1, 2, 3]);
  },
);

t.test('a writer that cannot open its file starts all the same, and goes on when it can', async (t) => {
  const to = setting(t);
  writeFileSync(dirname(to.path), 'in the way');
  const { write, answers } = await startWriter(t, to);
  t.match(to.troubles, [{ code: 'EEXIST' }]);
  await write(batchOf({ numbers: [1] }));
  t.strictSame(answers, [], 'what is in the file is not known yet, so nothing is accepted');
  rmSync(dirname(to.path));
  to.clock.advance(5000);
  await until('the trouble is over', () => to.troubles.length === 2);
  await write(batchOf({ numbers: [1] }));
  t.strictSame(await numbers(to.path), [1]);
});

t.test('a dead sender with a hole that no spool fills is reported as lost', async (t) => {
  const to = setting(t);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const owner = { ...ownProcess(), pid, start: '1' };
  const spoolDirectory = join(dirname(to.path), 'spool');
  const { write, writer } = await startWriter(t, to, { spoolDirectories: [spoolDirectory] });
  mkdirSync(spoolDirectory);
  writeFileSync(join(spoolDirectory, 'web-812.e1.1.spool'), '');
  await write(batchOf({ numbers: [4, 5], owner }));
  const wait = async () => {
    for (let i = 0; i < 15; i++) {
      to.clock.advance(1000);
      await turns();
    }
    await writer.settled();
  };
  await wait();
  t.strictSame(await numbers(to.path), [], 'its spool may have the rest');
  rmSync(spoolDirectory, { recursive: true });
  await wait();
  t.match((await notes(to.path)).at(-1), /^5 records of web\[812\] lost: #1-5 /);
});

t.test('a living sender with a hole is waited for', async (t) => {
  const to = setting(t);
  const { write } = await startWriter(t, to);
  await write(batchOf({ numbers: [4, 5] }));
  for (let i = 0; i < 100; i++) {
    to.clock.advance(1000);
    await turns(2);
  }
  await write(batchOf({ numbers: range(1, 5) }));
  t.strictSame(await numbers(to.path), range(1, 5));
});

t.test(
  'records that were acknowledged but are gone with a removed file are not reported as lost',
  async (t) => {
    const to = setting(t);
    const { write } = await startWriter(t, to);
    await write(batchOf({ numbers: [100], acked: 99, base: 100 }));
    t.match((await notes(to.path)).at(-1), /^web\[812\] continues at #100 /);
    await write(batchOf({ numbers: [300], acked: 299, base: 300 }));
    t.match((await notes(to.path)).at(-1), /^web\[812\] continues at #300 /);
    t.notOk((await notes(to.path)).some((note) => note.includes('lost')));
  },
);

t.test('stop writes what was accepted, saves the checkpoint and may be called twice', async (t) => {
  const to = setting(t);
  const { writer, accept } = await startWriter(t, to);
  accept(batchOf({ numbers: [1, 2] }));
  await Promise.all([writer.stop(), writer.stop()]);
  t.strictSame(await numbers(to.path), [1, 2]);
  t.match(JSON.parse(savedCheckpoint(to.path) ?? ''), {
    offset: readFileSync(to.path).length,
    positions: [{ sender: 'web[812]', epoch: 'e1', last: 2, isCurrent: true }],
  });
  t.strictSame(readdirSync(dirname(to.path)), ['lino.log', 'writer.checkpoint']);
});

t.test(
  'a new file begins without the senders that have ended and left no records, and the checkpoint forgets them',
  async (t) => {
    const to = setting(t);
    const spool = join(dirname(to.path), 'spool');
    mkdirSync(spool, { recursive: true });
    writeFileSync(join(spool, 'web-812.left.1.spool'), '');
    const { writer, write } = await startWriter(t, to, { spoolDirectories: [spool] });
    const dead = { ...ownProcess(), start: '1' };
    const elsewhere = { ...dead, host: 'container/pid:[1]' };
    await write(...range(1, 50).map((n) => batchOf({ numbers: [1], epoch: `gone${n}`, owner: dead })));
    await write(batchOf({ numbers: [1], epoch: 'left', owner: dead }));
    await write(batchOf({ numbers: [1], epoch: 'elsewhere', owner: elsewhere }));
    await write(batchOf({ numbers: [1], epoch: 'alive', owner: ownProcess() }));
    let files = 0;
    /** Those of which another file tells at its begin. */
    const carried = async () => {
      renameSync(to.path, `${to.path}.${++files}`);
      await writer.reopen();
      await writer.tidied();
      const saved = JSON.parse(savedCheckpoint(to.path) ?? '').positions;
      const found = [...readFileSync(to.path, 'utf8').matchAll(/"web\[812\]","(\w+)",1/g)];
      const epochs = found.map(([, epoch]) => epoch).sort();
      t.same(saved.map(({ epoch }: { epoch: string }) => epoch).sort(), epochs);
      return epochs;
    };
    t.equal((await carried()).length, 53, 'the channel may still hold some of their messages');
    to.clock.advance(301_000);
    t.same(await carried(), ['alive', 'elsewhere', 'left']);
    to.clock.advance(86_400_000);
    t.same(await carried(), ['alive', 'left']);
    // One that lives after all says how far it is.
    await write(batchOf({ numbers: [2], epoch: 'elsewhere', owner: elsewhere, acked: 1, base: 2 }));
    t.same(
      (await notes(to.path)).filter((text) => text.includes(' lost')),
      [],
    );
  },
);

t.test('a checkpoint that cannot be saved or read costs nothing but time', async (t) => {
  for (const hinder of [
    (path: string) => mkdirSync(path, { recursive: true }),
    (path: string) => writeFileSync(path, '{"file":1'),
  ]) {
    const to = setting(t);
    mkdirSync(dirname(to.path));
    hinder(checkpointPath(to.path));
    const troubles: unknown[] = [];
    const { write } = await startWriter(t, to, { onCheckpointTrouble: (error) => troubles.push(error) });
    await write(batchOf({ numbers: [1] }));
    t.strictSame(await numbers(to.path), [1]);
    t.ok(troubles[0] instanceof Error, 'it is reported');
    rmSync(dirname(to.path), { recursive: true });
  }
});
