import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { LevelName } from '../../../../src/base/log-levels.js';
import { lineFormat } from '../../../../src/log/format/formats.js';
import { Timestamps } from '../../../../src/log/format/timestamp.js';
import { findLogParts } from '../../../../src/log/read/files.js';
import { logStats } from '../../../../src/log/read/stats.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { formatNames } from '../../../../src/site/log-settings.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range } from '../../../support/log.js';
import { writeRealLog } from '../../../support/real-log.js';

const timezone = 'Europe/Tallinn';

t.test('records, bytes and times are counted by level, logger and sender, in every format', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const bytes = new Map<string, number>();
  let number = 0;
  const begin = Date.UTC(2026, 10, 24, 18);
  const add = (level: LevelName, sender: string, logger: string, seconds: number) => {
    const format = lineFormat(formatNames[number % formatNames.length] ?? 'text');
    const at = new Timestamps(timezone, format.time).format(begin + seconds * 1000);
    const record = format.record(format.head(at, level, sender, ++number, logger), {
      message: 'é\nof two lines',
    });
    appendFileSync(path, record);
    bytes.set(logger, (bytes.get(logger) ?? 0) + Buffer.byteLength(record));
  };
  add('INFO', 'web[1]', 'shop', 0);
  add('DEBUG', 'web[2]', 'shop.orders', 30);
  add('INFO', 'web[1]', 'shop.orders', 65);
  add('INFO', 'web[1]', 'shop.orders', 70);
  add('ERROR', 'web[2]', 'shop.orders', 3600);
  add('INFO', 'web[2]', 'shop', 3601);
  appendFileSync(path, 'Segmentation fault\n');
  const stats = await logStats(await findLogParts(path, timezone), { timezone });
  const sum = [...bytes.values()].reduce((total, count) => total + count, 0);
  t.match(stats, { records: 6, bytes: sum, first: begin, last: begin + 3_601_000, strays: 1, lost: [] });
  t.match(
    stats.levels.map(({ name, records }) => [name, records]),
    [
      ['DEBUG', 1],
      ['INFO', 4],
      ['ERROR', 1],
    ],
  );
  t.match(stats.loggers, [
    {
      name: 'shop.orders',
      records: 4,
      bytes: bytes.get('shop.orders'),
      levels: { DEBUG: 1, INFO: 2, ERROR: 1 },
    },
    { name: 'shop', records: 2, bytes: bytes.get('shop'), first: begin, last: begin + 3_601_000 },
  ]);
  t.same(
    new Set(stats.senders.map(({ name, records }) => `${name} ${records}`)),
    new Set(['web[1] 3', 'web[2] 3']),
  );
  t.ok(stats.busiest?.records === 2);
  const late = await logStats(await findLogParts(path, timezone), { timezone, since: begin + 70_000 });
  t.match(late, { records: 3, first: begin + 70_000 });
});

t.test('rotated and compressed files count, and notes of the writer do not', async (t) => {
  const log = await writeRealLog(testDirectory(t));
  const stats = await logStats(await findLogParts(log.current, timezone), { timezone });
  t.match(stats, { records: 60, strays: 0, unreadable: [] });
  t.same(
    stats.senders.map(({ name, records }) => [name, records]),
    [
      ['web[812]', 30],
      ['mail[77]', 30],
    ],
  );
});

t.test('what the writer reported as lost is counted by its sender', async (t) => {
  const path = join(testDirectory(t), 'lino.log');
  const writer = new LogWriter({ path, clock: new ManualClock() });
  await writer.start();
  writer.accept(batchOf({ numbers: range(1, 9) }), () => {});
  writer.accept(batchOf({ numbers: [20], base: 20, acked: 9 }), () => {});
  await writer.stop();
  const stats = await logStats(await findLogParts(path, timezone));
  t.match(stats, { records: 10, lost: [{ sender: 'web[812]', records: 10 }] });
});

t.test('a log without records has no times and no rates', async (t) => {
  t.match(await logStats([]), { records: 0, first: null, last: null, busiest: null, loggers: [] });
});
