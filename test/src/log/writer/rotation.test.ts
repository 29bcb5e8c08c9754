import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { beatMs } from '../../../../channels/waiting/beat.js';
import { findLogParts } from '../../../../src/log/read/files.js';
import { type LogReport, verifyLog } from '../../../../src/log/read/verify.js';
import { isRotationDue } from '../../../../src/log/writer/rotation.js';
import { LogWriter, type LogWriterOptions } from '../../../../src/log/writer/writer.js';
import type { RotationPolicy } from '../../../../src/site/log-settings.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range, restoreCheckpoint, savedCheckpoint } from '../../../support/log.js';
import { formats } from '../../../support/log-texts.js';
import { until } from '../../../support/until.js';

const policy: RotationPolicy = { every: 'never', maxBytes: 0, keepFiles: 0, keepDays: 0, compress: true };
const zone = 'Europe/Tallinn';

t.test(
  'by time, a file ends at midnight or at the full hour of the zone, also when its clocks change',
  async (t) => {
    const isDue = (every: 'hourly' | 'daily', began: string, now: string) =>
      isRotationDue({ ...policy, every }, { sizeBytes: 1, began: Date.parse(began) }, Date.parse(now), zone);
    t.notOk(isDue('daily', '2026-11-24T00:00:00+02:00', '2026-11-24T23:59:59.999+02:00'));
    t.ok(isDue('daily', '2026-11-24T23:59:59+02:00', '2026-11-25T00:00:00+02:00'));
    t.notOk(
      isDue('daily', '2026-11-25T00:00:00+02:00', '2026-11-24T12:00:00+02:00'),
      'a clock that was set back',
    );
    // 25 October: 03:59:59+03:00 is followed by 03:00:00+02:00. The day has 25 hours.
    t.notOk(isDue('daily', '2026-10-25T00:00:00+03:00', '2026-10-25T23:59:59+02:00'));
    t.ok(isDue('daily', '2026-10-25T00:00:00+03:00', '2026-10-26T00:00:00+02:00'));
    t.ok(
      isDue('hourly', '2026-10-25T03:00:00+03:00', '2026-10-25T03:00:00+02:00'),
      'the repeated hour is one of its own',
    );
    t.notOk(isDue('hourly', '2026-10-25T03:00:00+02:00', '2026-10-25T03:59:59+02:00'));
    // 29 March: 02:59:59+02:00 is followed by 04:00:00+03:00. The day has 23 hours.
    t.ok(isDue('hourly', '2026-03-29T02:30:00+02:00', '2026-03-29T04:00:00+03:00'));
    t.notOk(isDue('daily', '2026-03-29T00:00:00+02:00', '2026-03-29T23:59:59+03:00'));
    t.notOk(isDue('daily', 'no time', '2026-03-29T23:59:59+03:00'));
  },
);

class Bench {
  readonly path: string;
  readonly clock = new ManualClock(Date.parse('2026-11-24T20:00:01+02:00'));
  readonly troubles: unknown[] = [];
  #options: Partial<LogWriterOptions>;
  readonly #t: Test;
  #writer: LogWriter | undefined;
  #next = 1;

  constructor(t: Test, options: Partial<LogWriterOptions>) {
    this.#t = t;
    this.path = join(testDirectory(t), 'lino.log');
    this.#options = options;
    t.teardown(() => this.#writer?.stop());
  }

  get written(): number {
    return this.#next - 1;
  }

  async start(more: Partial<LogWriterOptions> = {}): Promise<LogWriter> {
    this.#options = { ...this.#options, ...more };
    const { path, clock, troubles } = this;
    const tell = {
      onTrouble: (e: unknown) => troubles.push(e),
      onRotationTrouble: (e: unknown) => troubles.push(e),
    };
    this.#writer = new LogWriter({ path, clock, timezone: zone, ...tell, ...this.#options });
    await this.#writer.start();
    return this.#writer;
  }

  async stop(): Promise<void> {
    await this.#writer?.stop();
    this.#writer = undefined;
  }

  /** As after a kill: nothing is saved or finished. */
  async kill(): Promise<void> {
    const saved = savedCheckpoint(this.path);
    await this.stop();
    restoreCheckpoint(this.path, saved);
  }

  /** Ten records, of web[812] and, each third time, of mail[7]. */
  async write(): Promise<void> {
    const first = this.#next;
    this.#next += 10;
    const format = formats.find(({ name }) => name === this.#options.format);
    for (const sender of first % 30 === 1 ? ['web[812]', 'mail[7]'] : ['web[812]']) {
      const own = sender === 'mail[7]' ? Math.floor(first / 3) + 1 : first;
      const batch = batchOf({ sender, numbers: range(own, own + 9), acked: own - 1, base: own }, format);
      this.#writer?.accept(batch, () => {});
      await this.#writer?.settled();
    }
  }

  names(): string[] {
    return readdirSync(dirname(this.path))
      .filter((name) => name.startsWith('lino.log'))
      .sort();
  }

  async verify(): Promise<LogReport> {
    return verifyLog(await findLogParts(this.path, zone), { timezone: zone });
  }

  async checkSound(): Promise<void> {
    const report = await this.verify();
    this.#t.strictSame(report.faults, []);
    const web = report.senders.find(({ sender }) => sender === 'web[812]');
    this.#t.equal(web?.last, this.written, 'to the last record');
  }
}

for (const format of formats) {
  t.test(
    `${format.name}: rotated by size, the log is one chain, and a missing file is noticed`,
    async (t) => {
      const bench = new Bench(t, { format: format.name, rotation: { ...policy, maxBytes: 2000 } });
      const writer = await bench.start();
      for (let i = 0; i < 12; i++) {
        await bench.write();
        bench.clock.advance(10);
      }
      await writer.tidied();
      const rotated = bench.names().filter((name) => name !== 'lino.log');
      t.ok(rotated.length >= 4, `there are ${rotated.length} rotated files`);
      t.ok(
        rotated.every((name) => /^lino\.log-20261124T18000[12]\.\d{3}Z\.gz$/.test(name)),
        'all of them compressed',
      );
      await bench.checkSound();
      const begin = readFileSync(bench.path, 'utf8').split('\n').slice(0, 2).join('\n');
      t.match(begin, /the log continues in a new file.*\n.*records of 2 senders/);
      const missing = join(dirname(bench.path), rotated[2] ?? '');
      rmSync(missing);
      const report = await bench.verify();
      const kinds = new Set(report.faults.map(({ kind }) => kind));
      t.ok(kinds.has('missing-file') && kinds.has('missing'), [...kinds].join(' '));
      t.same(bench.troubles, []);
    },
  );
}

t.test('a file whose format changes in between is read back, continued and verified', async (t) => {
  const bench = new Bench(t, {});
  for (const { name } of [...formats, ...formats]) {
    restoreCheckpoint(bench.path);
    await bench.start({ format: name });
    await bench.write();
    await bench.stop();
  }
  await bench.checkSound();
  t.same(bench.names(), ['lino.log']);
});

t.test(
  'a day ends without a record, too; files that are too many or too old are removed, others stay',
  async (t) => {
    const bench = new Bench(t, { rotation: { ...policy, every: 'daily', keepFiles: 2 } });
    writeFileSync(`${bench.path}.1`, 'of another program\n');
    const writer = await bench.start();
    for (let day = 0; day < 4; day++) {
      await bench.write();
      bench.clock.setTo(bench.clock.now() + 86_400_000);
      bench.clock.advance(beatMs);
      await writer.settled();
      await writer.tidied();
    }
    const names = bench.names();
    t.same(
      names.filter((name) => /^lino\.log-/.test(name)).map((name) => name.slice(9, 17)),
      ['20261127', '20261128'],
    );
    t.ok(names.includes('lino.log.1'));
    rmSync(`${bench.path}.1`);
    await bench.stop();
    const again = await bench.start({ rotation: { ...policy, every: 'daily', keepDays: 1 } });
    bench.clock.setTo(bench.clock.now() + 10 * 86_400_000);
    await bench.write();
    await bench.write();
    await again.tidied();
    t.equal(bench.names().filter((name) => /^lino\.log-/.test(name)).length, 1, 'by age');
    await bench.checkSound();
  },
);

t.test('a crash at any step of a rotation loses nothing, and the next start completes it', async (t) => {
  const crashes: Array<[string, (bench: Bench, rotated: string) => void]> = [
    ['the file is renamed, and there is no new one', ({ path }, rotated) => renameSync(path, rotated)],
    [
      'the new file is empty',
      ({ path }, rotated) => {
        renameSync(path, rotated);
        writeFileSync(path, '');
      },
    ],
    [
      'the begin of the new file is torn',
      ({ path }, rotated) => {
        renameSync(path, rotated);
        writeFileSync(path, readFileSync(rotated).subarray(0, 60));
      },
    ],
    [
      'compression was under way',
      ({ path }, rotated) => {
        renameSync(path, rotated);
        writeFileSync(`${rotated}.gz.tmp`, gzipSync(readFileSync(rotated)).subarray(0, 20));
      },
    ],
  ];
  for (const [what, crash] of crashes) {
    for (const hasCheckpoint of [true, false]) {
      await t.test(`${what}, ${hasCheckpoint ? 'with' : 'with an old'} checkpoint`, async (t) => {
        const bench = new Bench(t, { rotation: { ...policy, maxBytes: 10_000 } });
        await bench.start();
        await bench.write();
        await bench.kill();
        await bench.start();
        await bench.write();
        await (hasCheckpoint ? bench.stop() : bench.kill());
        const rotated = `${bench.path}-20261124T180001.000Z`;
        crash(bench, rotated);
        const writer = await bench.start();
        await bench.write();
        await writer.tidied();
        t.same(bench.names(), ['lino.log', `${rotated.slice(dirname(rotated).length + 1)}.gz`]);
        await bench.checkSound();
        t.same(bench.troubles, []);
      });
    }
  }
});

t.test('a file that was compressed and not yet removed is removed at the next start', async (t) => {
  const bench = new Bench(t, { rotation: { ...policy, maxBytes: 1 } });
  await bench.start({ rotation: { ...policy, maxBytes: 1, compress: false } });
  await bench.write();
  await bench.write();
  await bench.stop();
  const rotated = join(dirname(bench.path), bench.names().find((name) => name.includes('Z')) ?? '');
  const text = readFileSync(rotated, 'utf8');
  writeFileSync(`${rotated}.gz`, gzipSync(text));
  utimesSync(`${rotated}.gz`, 1, 1);
  const writer = await bench.start({ rotation: policy });
  await writer.tidied();
  t.notOk(existsSync(rotated));
  t.equal(gunzipSync(readFileSync(`${rotated}.gz`)).toString(), text);
  await bench.checkSound();
});

t.test(
  'counters are carried over: a writer without checkpoint knows every sender from the last file alone',
  async (t) => {
    const bench = new Bench(t, { rotation: { ...policy, maxBytes: 500, keepFiles: 1 } });
    const writer = await bench.start();
    for (let i = 0; i < 7; i++) await bench.write();
    await writer.tidied();
    await bench.kill();
    restoreCheckpoint(bench.path);
    const again = await bench.start();
    const answers: unknown[] = [];
    const known = batchOf({ sender: 'mail[7]', numbers: range(21, 30) });
    again.accept(known, (answer) => answers.push(answer));
    t.same(answers, [{ type: 'log.ack', sender: 'mail[7]', epoch: 'e1', last: 30 }]);
    await bench.write();
    await bench.checkSound();
  },
);

t.test(
  'a file that another program renames, removes or empties is noticed at the next beat, though nothing is written',
  async (t) => {
    const cases: Array<[string, (path: string) => void, RegExp]> = [
      [
        'renamed',
        (path) => renameSync(path, `${path}.1`),
        /^\S+ \S+ INFO - linod\.log: the log continues in a new file/,
      ],
      [
        'removed',
        (path) => rmSync(path),
        /WARNING - linod\.log: another program has removed the log file, which had \d+ bytes/,
      ],
      [
        'emptied',
        (path) => truncateSync(path),
        /WARNING - linod\.log: another program has emptied the log file, which had \d+ bytes/,
      ],
    ];
    for (const [what, change, told] of cases) {
      const bench = new Bench(t, {});
      const writer = await bench.start();
      await bench.write();
      change(bench.path);
      bench.clock.advance(beatMs);
      await until('the new file is begun', async () => {
        await writer.settled();
        return existsSync(bench.path) && told.test(readFileSync(bench.path, 'utf8'));
      });
      await bench.write();
      if (what === 'renamed') await bench.checkSound();
      await bench.stop();
      rmSync(`${bench.path}.1`, { force: true });
    }
  },
);

t.test('a clock that is set back between two files turns them around for no reader', async (t) => {
  const bench = new Bench(t, { rotation: { ...policy, maxBytes: 1000 } });
  await bench.start();
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 3; n++) await bench.write();
    bench.clock.setTo(bench.clock.now() - 3_600_000);
  }
  t.ok(bench.names().length > 4);
  await bench.checkSound();
});

t.test('a file that is compressed between being found and being read is read all the same', async (t) => {
  const bench = new Bench(t, { rotation: { ...policy, maxBytes: 1000, compress: false } });
  await bench.start();
  for (let n = 0; n < 6; n++) await bench.write();
  const parts = await findLogParts(bench.path, zone);
  for (const { path } of parts.slice(0, -1)) {
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    rmSync(path);
  }
  const report = await verifyLog(parts, { timezone: zone });
  t.same(report.faults, []);
  t.equal(report.senders[0]?.last, bench.written);
});

t.test(
  'what cannot be compressed or removed is reported once a minute, however often the log is rotated',
  async (t) => {
    const bench = new Bench(t, { rotation: { ...policy, maxBytes: 500, compress: true } });
    // In the place of the file that is compressed first of all.
    writeFileSync(`${bench.path}-20261101T000000.000Z`, '');
    mkdirSync(`${bench.path}-20261101T000000.000Z.gz.tmp`);
    const writer = await bench.start();
    for (const [waitMs, told] of [
      [0, 1],
      [60_000, 2],
    ] as const) {
      bench.clock.advance(waitMs);
      for (let i = 0; i < 3; i++) {
        await bench.write();
        await writer.tidied();
      }
      t.equal(bench.troubles.length, told);
    }
  },
);
