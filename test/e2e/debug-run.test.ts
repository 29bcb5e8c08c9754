// The next run of a rule is debugged: it alone logs at DEBUG, wherever it runs.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { until } from '../support/until.js';

const where = ['inline', 'thread', 'process'] as const;

const files = Object.fromEntries(
  where.map((runIn) => [
    `procedures/${runIn}.ts`,
    `import { type BaseRequest, scheduleDaily } from 'linod';
const options = { every: 300, runIn: '${runIn}', logLevel: 'WARNING', onFailure: 'retry', retryDelaySeconds: 0.001 } as const;
scheduleDaily(options, async function debugged_${runIn}(ar: BaseRequest) {
  const child = ar.logger.child('detail');
  child.level = 'ERROR';
  ar.debug('own ${runIn}');
  child.debug('child ${runIn}');
  if (ar.attempt < 2 && ar.args !== null) throw new Error('once more');
});
`,
  ]),
);

t.test('the next run logs at DEBUG, with its further attempts, and no other run does', async (t) => {
  const site = new LiveSite(t, { files, logLevel: 'ERROR', timezone: 'UTC' });
  await site.linod('rules', 'sync');
  await site.startWorker();
  await site.initiate();
  const { db } = await site.store();
  const linesOf = async (procedure: string, attempt: number): Promise<string[]> => {
    const newest = (await site.jobs(procedure)).filter((job) => job.attempt === attempt).at(-1);
    const lines = await db
      .selectFrom('job_lines')
      .select('text')
      .where('job_id', '=', newest?.id ?? 0)
      .orderBy('id')
      .execute();
    return lines.map(({ text }) => text);
  };
  for (const runIn of where) {
    const rule = `debugged_${runIn}`;
    const wanted = [`own ${runIn}`, `child ${runIn}`];
    await site.linod('rule', rule, 'run', '--wait', '--debug', '--args', '1');
    for (const attempt of [1, 2])
      t.match(
        (await linesOf(rule, attempt)).filter((text) => wanted.includes(text)),
        wanted,
        `${runIn}, attempt ${attempt}`,
      );
    t.match(await site.linod('rule', rule, 'debug'), /^the next run logs at DEBUG/);
    if (runIn === 'inline') {
      t.match(await site.linod('rule', rule), /the next run logs at DEBUG/);
      t.match(await site.linod('why', rule), /^the next run logs at DEBUG/m);
    }
    await site.linod('rule', rule, 'run', '--wait');
    t.same(await linesOf(rule, 1), wanted, `${runIn}, the next run`);
    await site.linod('rule', rule, 'run', '--wait');
    t.same(await linesOf(rule, 1), [], `${runIn}, the one after it`);
    const isWanted = ({ text }: { text: string }) => /^(?:own|child) /.test(text) && text.includes(runIn);
    await until('lino.log has them, too', async () => (await site.records()).filter(isWanted).length === 6);
  }
  t.notMatch(await site.linod('rule', 'debugged_inline'), /logs? at DEBUG/, 'it is over');
  t.match(await site.linod('rule', 'debugged_inline', 'debug', '--runs', '2'), /^the next 2 runs log/);
  t.match(await site.linod('rule', 'debugged_inline', 'debug', '--runs', '0'), /log as usual/);
});
