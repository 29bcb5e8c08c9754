import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { LevelName } from '../../../../src/base/log-levels.js';
import { lineFormat } from '../../../../src/log/format/formats.js';
import { Timestamps } from '../../../../src/log/format/timestamp.js';
import { findLogParts, fingerprintOf } from '../../../../src/log/read/files.js';
import type { Wanted } from '../../../../src/log/read/filter.js';
import { tail } from '../../../../src/log/read/tail.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { formatNames } from '../../../../src/site/log-settings.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range } from '../../../support/log.js';
import { recordsIn, writeRealLog } from '../../../support/real-log.js';
import { until } from '../../../support/until.js';

const timezone = 'Europe/Tallinn';

const line = (number: number, text: string) =>
  `2026-11-24 20:00:01.123+02:00 INFO web[812]#${number} shop: ${text}\n`;

async function tailOnce(path: string, last?: number, wanted: Wanted = {}): Promise<string[]> {
  const seen: string[] = [];
  const signal = new AbortController().signal;
  await tail(path, { last, wanted, follow: false, timezone, signal }, (records) => {
    seen.push(...records.map(({ text }) => text));
  });
  return seen;
}

function numbersOf(seen: readonly string[]): number[] {
  return seen.map((text) => Number(/#(\d+) /.exec(text)?.[1]));
}

t.test('files that are renamed and compressed while the log is read are not left out', async (t) => {
  const log = await writeRealLog(testDirectory(t));
  const whole = await tailOnce(log.current);
  const seen: string[] = [];
  let isMoved = false;
  const { signal } = new AbortController();
  await tail(log.current, { follow: false, timezone, signal }, (records) => {
    seen.push(...records.map(({ text }) => text));
    if (isMoved) return;
    isMoved = true;
    renameSync(log.packed, log.packed.replace('2.gz', '3.gz'));
    writeFileSync(log.packed, gzipSync(readFileSync(log.rotated)));
    rmSync(log.rotated);
  });
  t.same(seen, whole);
});

/** Follows a log until the test ends. */
function follow(t: Test, path: string, last = 10, wanted: Wanted = {}) {
  const seen: string[] = [];
  const stop = new AbortController();
  const done = tail(path, { last, wanted, follow: true, timezone, signal: stop.signal }, (records) => {
    seen.push(...records.map(({ text }) => text));
  });
  const end = async () => {
    stop.abort();
    await done;
  };
  t.teardown(end);
  return { seen, end };
}

t.test('the last records are shown with all their lines, whole ones only', async (t) => {
  const path = join(
    testDirectory(t, { 'lino.log': `${line(1, 'x')}${line(2, 'y ').replace('\n', '\n    and\n')}` }),
    'lino.log',
  );
  appendFileSync(path, `${line(3, 'z')}${line(4, 'unfinished').trimEnd()}`);
  t.same(await tailOnce(path, 2), [`${line(2, 'y ')}    and`, line(3, 'z').trimEnd()]);
  appendFileSync(path, ' \n    still going on \n');
  t.same(await tailOnce(path, 1), [line(3, 'z').trimEnd()]);
});

t.test('rotated and compressed files are read when the newest has too little', async (t) => {
  const log = await writeRealLog(testDirectory(t));
  const { gunzipSync } = await import('node:zlib');
  const texts = [gunzipSync(readFileSync(log.packed)), readFileSync(log.rotated), readFileSync(log.current)];
  const all = texts.flatMap((text) => recordsIn(text.toString())).map((record) => record.trimEnd());
  for (let count = 1; count <= all.length + 1; count++) {
    const found = await tailOnce(log.current, count);
    if (JSON.stringify(found) !== JSON.stringify(all.slice(-count))) t.fail(`the last ${count}`);
  }
  t.same(await tailOnce(log.current), all, 'all of it');
  t.same(
    await tailOnce(log.current, 15, { sender: 'mail' }),
    all.filter((record) => record.includes(' mail[77]#')).slice(-15),
  );
});

t.test('a long file is read from its end in chunks, and every record is met once', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const texts = Array.from({ length: 9000 }, (_, n) =>
    line(n + 1, n % 3 === 0 ? `a \n    b${'b'.repeat(n % 700)}` : 'c'),
  );
  writeFileSync(path, texts.join(''));
  const found = await tailOnce(path, 8500);
  t.ok(found.join('\n') === texts.slice(-8500).join('').trimEnd());
  const rare = await tailOnce(path, 3, { text: /#(5|1234|8999) / });
  t.same(
    rare.map((text) => /#(\d+)/.exec(text)?.[1]),
    ['5', '1234', '8999'],
  );
});

t.test('a log that is not there is reported', async (t) => {
  const signal = new AbortController().signal;
  const options = { last: 2, follow: false, timezone, signal };
  t.notOk(await tail(join(testDirectory(t), 'lino.log'), options, () => void t.fail('nothing to show')));
});

for (const name of formatNames) {
  t.test(
    `records are picked by level, logger, sender, time, job and text in the format ${name}`,
    async (t) => {
      const path = join(testDirectory(t), 'lino.log');
      const format = lineFormat(name);
      const times = new Timestamps(timezone, format.time);
      let number = 0;
      const add = (level: LevelName, sender: string, logger: string, message: string, fields?: object) => {
        const at = Date.UTC(2026, 10, 24, 18, number++);
        const head = format.head(times.format(at), level, sender, number, logger);
        appendFileSync(
          path,
          format.record(head, { message, ...(fields === undefined ? {} : { fields: { ...fields } }) }),
        );
      };
      add('DEBUG', 'web[812]', 'shop', 'one');
      add('INFO', 'web[813]', 'shop.orders', 'two {"job":17}', { rule: 3, job: 170 });
      add('WARNING', 'webby[812]', 'shopping', 'three {', { rule: 3, job: 17 });
      add('CRITICAL', 'mail[77]', 'shop', 'four and job 17');
      const picked = async (wanted: Wanted, last?: number) =>
        (await tailOnce(path, last, wanted)).map((text) => /one|two|three|four/.exec(text)?.[0]);
      t.same(await picked({}), ['one', 'two', 'three', 'four']);
      t.same(await picked({ level: 'WARNING' }), ['three', 'four']);
      t.same(await picked({ logger: 'shop' }), ['one', 'two', 'four']);
      t.same(await picked({ logger: 'shop.orders' }), ['two']);
      t.same(await picked({ sender: 'web' }), ['one', 'two']);
      t.same(await picked({ sender: 'web[813]' }), ['two']);
      t.same(await picked({ job: 17 }), ['three']);
      t.same(await picked({ since: Date.UTC(2026, 10, 24, 18, 2) }), ['three', 'four']);
      t.same(await picked({ since: Date.UTC(2026, 10, 24, 18, 1) }, 1), ['four']);
      t.same(await picked({ text: 'job 17' }), ['four']);
      t.same(await picked({ text: /T(WO|HREE)/i }), ['two', 'three']);
      t.same(await picked({ level: 'INFO', logger: 'shop', text: 'o' }, 1), ['four']);
    },
  );
}

t.test('lines that are no records are shown unless a record is asked for by its head', async (t) => {
  const path = join(
    testDirectory(t, { 'lino.log': `${line(1, 'x')}Segmentation fault\n${line(2, 'y')}` }),
    'lino.log',
  );
  t.same(await tailOnce(path, 2), ['Segmentation fault', line(2, 'y').trimEnd()]);
  t.same(await tailOnce(path, 5, { text: 'fault' }), ['Segmentation fault']);
  t.same(await tailOnce(path, 5, { level: 'DEBUG' }), [line(1, 'x').trimEnd(), line(2, 'y').trimEnd()]);
});

t.test('what is added is shown, whole records only, also after the log was moved away', async (t) => {
  const path = join(testDirectory(t, { 'lino.log': line(1, 'x') }), 'lino.log');
  const { seen } = follow(t, path);
  await until('the first record is shown', () => seen.length === 1);
  appendFileSync(path, line(2, 'é'));
  await until('the second record is shown', () => seen.length === 2);
  appendFileSync(path, line(3, 'one ').slice(0, 60));
  appendFileSync(path, line(3, 'one ').slice(60));
  appendFileSync(path, `    two\n${line(4, 'x')}`);
  await until('the record of two lines is shown', () => seen.length === 4);
  t.equal(seen[2], `${line(3, 'one ')}    two`);
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, line(5, 'written by one who had it open'));
  writeFileSync(path, line(6, 'new'));
  await until('the record in the new file is shown', () => seen.length === 6);
  t.same(seen.slice(4), [line(5, 'written by one who had it open').trimEnd(), line(6, 'new').trimEnd()]);
});

t.test('a log is followed for long without a warning', async (t) => {
  const path = join(testDirectory(t, { 'lino.log': line(1, 'x') }), 'lino.log');
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const { seen } = follow(t, path);
  for (let number = 2; number <= 15; number++) {
    await until('the record is shown', () => seen.length === number - 1);
    appendFileSync(path, line(number, 'y'));
  }
  await until('the last record is shown', () => seen.length === 15);
  t.same(warnings, []);
});

t.test('a log that is not there yet is waited for', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const { seen } = follow(t, path);
  writeFileSync(path, line(1, 'x'));
  await until('the record is shown', () => seen.length === 1);
  rmSync(path);
  writeFileSync(path, line(2, 'y'));
  await until('that in the next file, too', () => seen.length === 2);
});

t.test('a log that is copied and emptied loses nothing and repeats nothing', async (t) => {
  const path = join(testDirectory(t, { 'lino.log': line(1, 'x') }), 'lino.log');
  const { seen } = follow(t, path);
  await until('the first record is shown', () => seen.length === 1);
  for (const round of [0, 1, 2]) {
    appendFileSync(path, line(3 * round + 2, 'y'));
    // The copies are renamed first, as logrotate does.
    for (const number of [2, 1])
      if (existsSync(`${path}.${number}`)) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, line(3 * round + 3, 'z'.repeat(1 + 1000 * round)));
    await until('the record behind it is shown', () => seen.length >= 3 * round + 3);
    appendFileSync(path, line(3 * round + 4, 'y'));
    await until('and the next', () => seen.length >= 3 * round + 4);
  }
  t.same(numbersOf(seen), range(1, 10));
});

t.test('a log is followed past files without a beginning and copies of nothing', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const at = (second: number, text: string) => text.replace('20:00:01', `20:00:0${second}`);
  const { head, record } = lineFormat('text');
  let after: string | undefined;
  const begin = (second: number) => {
    const time = at(second, '2026-11-24 20:00:01.123+02:00');
    const fields = { file: `f${second}`, after };
    const note = record(head(time, 'INFO', '-', 0, 'linod.log'), { message: 'the log goes on', fields });
    after = fingerprintOf(note.trimEnd());
    return note + at(second, line(second, 'x'));
  };
  writeFileSync(`${path}-20261124-1`, begin(1));
  writeFileSync(`${path}-20261124-2`, at(2, line(2, 'x')));
  writeFileSync(path, begin(3));
  const { seen } = follow(t, path, 10, { sender: 'web[812]' });
  await until('all records are shown', () => seen.length === 3);
  // In one turn of the event loop: copied and emptied, twice more, in between with nothing in it.
  copyFileSync(path, `${path}-20261124-3`);
  writeFileSync(`${path}-20261124-4`, '');
  utimesSync(
    `${path}-20261124-4`,
    new Date('2026-11-24T18:00:03.500Z'),
    new Date('2026-11-24T18:00:03.500Z'),
  );
  writeFileSync(`${path}-20261124-5`, begin(5));
  writeFileSync(path, begin(6));
  await until('the last record is shown', () => seen.some((text) => text.includes('#6 ')));
  t.same(numbersOf(seen), [1, 2, 3, 5, 6]);
});

t.test('files that were rotated and packed between two polls are shown in order', async (t) => {
  const path = join(testDirectory(t, { 'lino.log': line(1, 'x') }), 'lino.log');
  const { seen } = follow(t, path);
  await until('the first record is shown', () => seen.length === 1);
  // All in one turn of the event loop.
  appendFileSync(path, line(2, 'y'));
  writeFileSync(`${path}.3.gz`, gzipSync(readFileSync(path)));
  writeFileSync(`${path}.2.gz`, gzipSync(line(3, 'a')));
  writeFileSync(`${path}.1`, line(4, 'b'));
  rmSync(path);
  writeFileSync(path, line(5, 'c'));
  await until('the last record is shown', () => seen.length >= 5);
  appendFileSync(path, line(6, 'd'));
  await until('what is added, too', () => seen.length >= 6);
  t.same(numbersOf(seen), range(1, 6));
});

t.test('each record is shown once, however fast a writer rotates', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const clock = new ManualClock();
  const rotation = { every: 'never', maxBytes: 1, keepFiles: 0, keepDays: 0, compress: false } as const;
  const writer = new LogWriter({ path, clock, rotation });
  await writer.start();
  const { seen, end } = follow(t, path, 1000, { sender: 'web[812]' });
  const count = 60;
  for (let number = 1; number <= count; number++) {
    writer.accept(
      batchOf({ sender: 'web[812]', numbers: [number], acked: number - 1, base: number }),
      () => {},
    );
    await writer.settled();
    await clock.advance(1);
  }
  await until('the last record is shown', () => numbersOf(seen).at(-1) === count);
  await end();
  await writer.stop();
  t.same(numbersOf(seen), range(1, count));
  t.ok((await findLogParts(path, timezone)).length >= count);
});

t.test(
  'as many records are shown as are asked for, also when others come meanwhile, and none for 0',
  async (t) => {
    const path = join(
      testDirectory(t, {
        'lino.log': range(1, 5)
          .map((n) => line(n, 'x'))
          .join(''),
      }),
      'lino.log',
    );
    t.same(await tailOnce(path, 0), []);
    const seen: string[] = [];
    const signal = new AbortController().signal;
    await tail(path, { last: 2, follow: false, timezone, signal }, (records) => {
      seen.push(...records.map(({ text }) => text));
      appendFileSync(path, line(6, 'meanwhile'));
    });
    t.same(numbersOf(seen), [4, 5]);
    const followed = follow(t, path, 0);
    // Whatever comes before it begins to follow is not asked for.
    await until('what is added is shown', () => {
      appendFileSync(path, line(7, 'added'));
      return followed.seen.length > 0;
    });
    t.same([...new Set(numbersOf(followed.seen))], [7]);
  },
);

t.test('only what is asked for is followed', async (t) => {
  const path = join(testDirectory(t, { 'lino.log': line(1, 'x') }), 'lino.log');
  const { seen, end } = follow(t, path, 10, { text: 'paid' });
  appendFileSync(path, `${line(2, 'ordered')}${line(3, 'paid')}noise\n${line(4, 'paid, too')}`);
  await until('both are shown', () => seen.length === 2);
  await end();
  t.same(seen, [line(3, 'paid').trimEnd(), line(4, 'paid, too').trimEnd()]);
});
