// The next run of a rule is debugged: it alone logs at DEBUG, wherever it runs.

import t from 'tap';
import { openLayer } from '../../channels/index.js';
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
  await site.startWorker('--initiate');
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
  const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
  t.teardown(() => layer.close());
  /** Waits until all three rules have run so often, without further attempts. */
  const runAgain = async (count: number) => {
    for (const runIn of where) await layer.send(site.channel, { type: 'job.run', rule: `debugged_${runIn}` });
    for (const runIn of where)
      await site.untilJobs(`debugged_${runIn}`, `${count} are done`, (jobs) => {
        return jobs.filter(({ attempt, status }) => attempt === 1 && status === 'done').length === count;
      });
  };
  const wanted = (runIn: string) => [`own ${runIn}`, `child ${runIn}`];

  await Promise.all(
    where.map((runIn) => site.linod('rule', `debugged_${runIn}`, 'run', '--wait', '--debug', '--args', '1')),
  );
  for (const runIn of where)
    for (const attempt of [1, 2]) {
      const lines = await linesOf(`debugged_${runIn}`, attempt);
      t.match(
        lines.filter((text) => wanted(runIn).includes(text)),
        wanted(runIn),
        `${runIn}, attempt ${attempt}`,
      );
    }
  for (const runIn of where)
    t.match(await site.linod('rule', `debugged_${runIn}`, 'debug'), /^the next run logs at DEBUG/);
  t.match(await site.linod('rule', 'debugged_inline'), /the next run logs at DEBUG/);
  t.match(await site.linod('why', 'debugged_inline'), /^the next run logs at DEBUG/m);
  await runAgain(1);
  for (const runIn of where)
    t.same(await linesOf(`debugged_${runIn}`, 1), wanted(runIn), `${runIn}, the next run`);
  await runAgain(2);
  for (const runIn of where) t.same(await linesOf(`debugged_${runIn}`, 1), [], `${runIn}, the one after it`);
  const isWanted = ({ text }: { text: string }) => /^(?:own|child) /.test(text);
  await until('lino.log has them, too', async () => (await site.records()).filter(isWanted).length === 18);
  t.notMatch(await site.linod('rule', 'debugged_inline'), /logs? at DEBUG/, 'it is over');
  t.match(await site.linod('rule', 'debugged_inline', 'debug', '--runs', '2'), /^the next 2 runs log/);
  t.match(await site.linod('rule', 'debugged_inline', 'debug', '--runs', '0'), /log as usual/);
});
