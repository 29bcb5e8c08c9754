// What the workers of a site count, and what its database says.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually, type Program } from '../support/programs.js';

/** Rules that succeed, fail, are tried again, and overlap. */
const procedures = `import { scheduleOften } from 'linod';
import { setTimeout } from 'node:timers/promises';
for (let i = 0; i < 20; i++) {
  const policies = [{}, { onFailure: 'continue' }, { onFailure: 'retry', retries: 1, retryDelaySeconds: 0.1 }];
  scheduleOften({ name: 'rule' + i, every: 1, ...policies[i % 3] }, async (ar) => {
    await setTimeout((i * 137) % 1300, undefined, { signal: ar.signal });
    if (i % 3 !== 0 && Math.random() < 0.5) throw new Error('now and then');
  });
}
`;

/** The samples of an answer, by name and labels. */
type Samples = ReadonlyMap<string, number>;

class Worker {
  readonly program: Program;
  readonly id: string;
  readonly #url: string;

  static async start(site: LiveSite): Promise<Worker> {
    const program = await site.startWorker('--initiate', '--grace', '5');
    const listens = await program.printed(/probes and metrics are on/);
    const banner = await program.printed(/is listening/);
    const id = /worker (\S+) is listening/.exec(banner)?.[1] ?? '';
    return new Worker(program, id, /http:\S+/.exec(listens)?.[0] ?? '');
  }

  private constructor(program: Program, id: string, url: string) {
    this.program = program;
    this.id = id;
    this.#url = url;
  }

  async samples(): Promise<Samples> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))] as const;
      }),
    );
  }
}

/** Only those that count runs and decisions, without zeros. */
function counted(samples: Samples): Record<string, number> {
  const wanted = [...samples].filter(([name]) =>
    /^linod_(run_duration_seconds_count|decisions_total|due_lag_seconds_count)/.test(name),
  );
  return Object.fromEntries(wanted.filter(([, value]) => value > 0).sort());
}

/** The same of one worker, as the database has it. */
async function written(site: LiveSite, worker: string): Promise<Record<string, number>> {
  const { db } = await site.store();
  const found: Record<string, number> = {};
  const add = (key: string) => {
    found[key] = (found[key] ?? 0) + 1;
  };
  const jobs = db.selectFrom('jobs').innerJoin('job_rules', 'job_rules.id', 'jobs.rule_id');
  const ended = jobs.select(['job_rules.name', 'jobs.status', 'jobs.due_at']);
  for (const { name, status, due_at } of await ended.where('jobs.worker_id', '=', worker).execute()) {
    if (status !== 'running' && status !== 'lost')
      add(`linod_run_duration_seconds_count{rule="${name}",status="${status}"}`);
    if (due_at !== null) add('linod_due_lag_seconds_count');
  }
  const decisions = db.selectFrom('decisions').select('reason').where('worker_id', '=', worker);
  for (const { reason } of await decisions.execute()) add(`linod_decisions_total{reason="${reason}"}`);
  return Object.fromEntries(Object.entries(found).sort());
}

t.test('after workers were killed and suspended, the metrics agree with the database', async (t) => {
  const site = new LiveSite(t, {
    health: '127.0.0.1:0',
    maxJobs: 8,
    files: { 'procedures/rules.ts': procedures },
  });
  const [first, second, victim] = await Promise.all([1, 2, 3].map(() => Worker.start(site)));
  if (first === undefined || second === undefined || victim === undefined) throw new Error('unreachable');
  await eventually('the one to be killed has run something', async () => {
    return Object.keys(counted(await victim.samples())).length > 3;
  });
  const beforeKill = counted(await victim.samples());
  second.program.kill('SIGSTOP');
  victim.program.kill('SIGKILL');
  await victim.program.ended();
  await eventually('the lost runs are written', async () => {
    const jobs = await site.jobs();
    return jobs.every(({ workerId, status }) => workerId !== victim.id || status !== 'running');
  });
  second.program.kill('SIGCONT');
  const third = await Worker.start(site);
  await eventually('the third has run something', async () => {
    return Object.keys(counted(await third.samples())).length > 3;
  });
  const living = [first, second, third];
  for (const { program } of living) program.kill('SIGTSTP');
  await eventually('nothing runs any more', async () => {
    return (await site.jobs()).every(({ status }) => status !== 'running');
  });
  for (const worker of living) {
    // A claim may have been on its way when the worker was paused.
    let pair: readonly [unknown, unknown] = [{}, null];
    await eventually('its counters do not change any more', async () => {
      pair = [counted(await worker.samples()), await written(site, worker.id)];
      return JSON.stringify(pair[0]) === JSON.stringify(pair[1]);
    }).catch(() => undefined);
    t.same(pair[0], pair[1], worker.id);
    t.ok(Object.keys(counted(await worker.samples())).length > 3);
  }
  const ofVictim = await written(site, victim.id);
  for (const [name, value] of Object.entries(beforeKill))
    t.ok((ofVictim[name] ?? 0) >= value, `of the killed worker, the database has all of ${name}`);

  const { db } = await site.store();
  const { lost } = await db
    .selectFrom('jobs')
    .where('status', '=', 'lost')
    .select((all) => all.fn.countAll<number>().as('lost'))
    .executeTakeFirstOrThrow();
  const all = await Promise.all(living.map((worker) => worker.samples()));
  const lostCounted = all.map((samples) => samples.get('linod_decisions_total{reason="lost"}') ?? 0);
  t.equal(
    lostCounted.reduce((sum, count) => sum + count, 0),
    Number(lost),
  );
  for (const samples of all) {
    t.equal(samples.get('linod_workers'), 3);
    t.equal(samples.get('linod_runs_running'), 0);
    t.equal(samples.get('linod_rules{state="active"}') ?? 0, all[0]?.get('linod_rules{state="active"}'));
    t.equal(samples.get('linod_site_read_failed{source="database"}'), 0);
  }
  for (const { program } of living) program.kill('SIGCONT');
  for (const { program } of living) program.kill('SIGTERM');
  for (const { program } of living) t.match(await program.ended(), { code: 0 });
});
