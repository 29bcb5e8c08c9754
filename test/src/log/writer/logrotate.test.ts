// With the real logrotate: its own ways of rotating, while records are written.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { findLogParts } from '../../../../src/log/read/files.js';
import { verifyLog } from '../../../../src/log/read/verify.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { testDirectory } from '../../../support/directory.js';
import { batchOf, range } from '../../../support/log.js';
import { until } from '../../../support/until.js';

const run = promisify(execFile);
const example = readFileSync(join(import.meta.dirname, '../../../../examples/deploy/logrotate'), 'utf8');

/** Writes ten records at a time until it is stopped. */
class Sender {
  written = 0;
  readonly #writer: LogWriter;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  async write(): Promise<void> {
    const first = this.written + 1;
    this.written += 10;
    this.#writer.accept(
      batchOf({ numbers: range(first, this.written), acked: first - 1, base: first }),
      () => {},
    );
    await this.#writer.settled();
  }
}

async function setUp(t: Test, config: (path: string) => string) {
  const directory = testDirectory(t);
  const path = join(directory, 'log', 'lino.log');
  const writer = new LogWriter({ path, clock: systemClock });
  t.teardown(() => writer.stop());
  await writer.start();
  const [configFile, state] = [join(directory, 'logrotate.conf'), join(directory, 'logrotate.state')];
  writeFileSync(configFile, config(path), { mode: 0o600 });
  const rotate = () => run('/usr/sbin/logrotate', ['--force', '--state', state, configFile]);
  return { path, writer, rotate, sender: new Sender(writer) };
}

t.test('the sample file of logrotate needs no signal, and the log stays complete', async (t) => {
  const { path, writer, rotate, sender } = await setUp(t, (path) =>
    example.replace('/srv/mysite/log/lino.log', path),
  );
  for (let i = 0; i < 4; i++) {
    for (let n = 0; n < 5; n++) await sender.write();
    await Promise.all([rotate(), sender.write(), sender.write()]);
    // Without a record, too, the new file is there.
    await until('the new file is begun', () => readdirSync(dirname(path)).includes('lino.log'));
  }
  await sender.write();
  await writer.stop();
  const names = readdirSync(dirname(path))
    .filter((name) => name.startsWith('lino.log'))
    .sort();
  t.same(names, ['lino.log', 'lino.log.1', 'lino.log.2.gz', 'lino.log.3.gz', 'lino.log.4.gz']);
  const report = await verifyLog(await findLogParts(path, 'UTC'));
  t.same(report.faults, []);
  t.match(report.senders, [{ first: 1, last: sender.written, records: sender.written }]);
});

t.test('with copytruncate, what was lost is reported in the log and found by verify', async (t) => {
  const { path, writer, rotate, sender } = await setUp(
    t,
    (path) => `${path} {\n  rotate 5\n  copytruncate\n}\n`,
  );
  for (let n = 0; n < 5; n++) await sender.write();
  await rotate();
  await sender.write();
  await writer.stop();
  const text = readFileSync(path, 'utf8');
  t.match(text, /WARNING - linod\.log: another program has emptied the log file, which had \d+ bytes/);
  t.match(text, /INFO - linod\.log: the log continues in a new file/);
  const report = await verifyLog(await findLogParts(path, 'UTC'));
  t.same(report.faults, [], 'nothing was written in that moment, so nothing is missing');
  t.match(report.senders, [{ first: 1, last: 60, records: 60 }]);
});
