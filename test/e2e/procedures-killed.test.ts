// checkdata, checksummaries and clear_too_old_job_history in the middle of their work: ended by a person, and killed. And
// event_notification_scheduler, killed while it plans and while it sends.

import { rmSync } from 'node:fs';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import type { ProcedureTables } from '../../procedures/index.js';
import { CommandShell } from '../support/command-shell.js';
import { LiveSite } from '../support/live-site.js';
import { eventually, type Program } from '../support/programs.js';

const orders = 300;
const oldJobs = 5000;
/** Each mostly waits for its programs. */
t.jobs = 3;

const names = ['checkdata', 'checksummaries', 'clear_too_old_job_history'] as const;

/**
 * While there is a file `slow`, each row and each key takes some milliseconds, and a job's hundredth until the run is to
 * end: long after some were written.
 */
const shop = `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { registerChecker, registerSummary } from 'linod/procedures';

const counts = new Map();
const pace = async (ar, what) => {
  const job = what + ar.jobId;
  const n = (counts.get(job) ?? 0) + 1;
  counts.set(job, n);
  const isSlow = () => existsSync(ar.site.directory + '/slow') && !ar.signal.aborted;
  if (isSlow()) await setTimeout(5);
  while (n % 100 === 0 && isSlow()) await setTimeout(20);
};
let told = '';
const tell = (ar, what) => {
  if (told !== what + ar.jobId) ar.info(what + ' in process ' + process.pid);
  told = what + ar.jobId;
};

registerChecker({
  name: 'orders_are_even',
  table: 'orders',
  batchSize: 20,
  async check(order, ar) {
    tell(ar, 'checking');
    await pace(ar, 'checking');
    return order.id % 2 === 1 ? ['is odd'] : [];
  },
});

registerSummary({
  name: 'squares',
  async compute(key, ar) {
    tell(ar, 'computing');
    await pace(ar, 'computing');
    return Number(key) ** 2;
  },
  async store(key, square, tx) {
    await tx.insertInto('squares').values({ n: Number(key), square }).execute();
  },
});
`;

async function fill(site: LiveSite): Promise<void> {
  const { db } = await site.store();
  const numbers = (count: number) =>
    sql`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})`;
  await sql`create table orders (id integer primary key)`.execute(db);
  await sql`${numbers(orders)} insert into orders select n from numbers`.execute(db);
  // A key that were stored twice would break the primary key.
  await sql`create table squares (n integer primary key, square integer)`.execute(db);
  await sql`${numbers(orders)} insert into dirty_summaries (summary, key, version, marked_at, failures)
    select 'squares', n, 1, 0, 0 from numbers`.execute(db);
  await sql`${numbers(oldJobs)} insert into jobs (rule_id, procedure, start_datetime, status, message, worker_id)
    select (select id from job_rules where procedure = 'clear_seen_messages'), 'clear_seen_messages', n, 'done', '', 'w'
    from numbers`.execute(db);
}

interface Work {
  readonly problems: number;
  readonly squares: number;
  readonly marks: number;
  readonly oldJobs: number;
}

async function done(site: LiveSite): Promise<Work> {
  const { db } = await site.store();
  const { rows } = await sql<Work>`select
    (select count(*) from data_problems where closed_at is null) as problems,
    (select count(*) from squares) as squares,
    (select count(*) from dirty_summaries) as marks,
    (select count(*) from jobs where procedure = 'clear_seen_messages') as "oldJobs"`.execute(db);
  const [work] = rows;
  if (work === undefined) throw new Error('unreachable: a row of counts');
  return work;
}

/** Asks for all three, and waits until each has written something. Of old jobs there may be none left. */
async function beginAll(site: LiveSite, shell: CommandShell): Promise<void> {
  const before = await done(site);
  for (const name of names) await shell.run(`linod rule ${await ruleOf(site, name)} run`);
  await eventually('all are in the middle of their work', async () => {
    const now = await done(site);
    return (
      now.problems > before.problems &&
      now.squares > before.squares &&
      (now.oldJobs < before.oldJobs || now.oldJobs === 1)
    );
  });
}

async function ruleOf(site: LiveSite, procedure: string): Promise<number> {
  const { db } = await site.store();
  const rule = await db
    .selectFrom('job_rules')
    .select('id')
    .where('procedure', '=', procedure)
    .executeTakeFirstOrThrow();
  return rule.id;
}

async function untilEnded(site: LiveSite): Promise<void> {
  for (const name of names) {
    await site.untilJobs(name, 'it ended', (jobs) => jobs.every(({ status }) => status !== 'running'));
  }
}

/** Undefined until what the run logged is in the database, a moment later. */
async function processOf(site: LiveSite, procedure: string): Promise<number | undefined> {
  const { db } = await site.store();
  const line = await db
    .selectFrom('job_lines')
    .innerJoin('jobs', 'jobs.id', 'job_lines.job_id')
    .select('text')
    .where('procedure', '=', procedure)
    .where('status', '=', 'running')
    .where('text', 'like', '% in process %')
    .executeTakeFirst();
  return line && Number(/\d+$/.exec(line.text)?.[0]);
}

async function kill(site: LiveSite, worker: Program, kind: string): Promise<void> {
  if (kind === 'process') {
    // Those that say where they are; the third goes with its worker.
    for (const name of ['checkdata', 'checksummaries']) {
      await eventually(`${name} has said in which process it runs`, async () => {
        const pid = await processOf(site, name);
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
        return pid !== undefined;
      });
    }
  }
  worker.kill('SIGKILL');
  await worker.ended();
}

async function check(t: Test, kind: 'inline' | 'thread' | 'process'): Promise<void> {
  const site = new LiveSite(t, { files: { 'procedures/shop.js': shop, slow: '' }, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  await shell.run('linod rules sync');
  await fill(site);
  for (const name of names) await shell.run(`linod rule ${await ruleOf(site, name)} set runIn=${kind}`);
  const first = await site.startWorker('--initiate');

  await beginAll(site, shell);
  for (const name of names) await shell.run(`linod rule ${await ruleOf(site, name)} stop`);
  await untilEnded(site);
  for (const name of ['checkdata', 'checksummaries']) {
    const [job] = await site.jobs(name);
    t.match(job, { status: 'cancelled', message: /it ended by itself/ }, `${name} ends when it is asked to`);
  }
  const between = await done(site);
  t.ok(between.problems < orders / 2 && between.squares < orders, 'in the middle');

  await beginAll(site, shell);
  await kill(site, first, kind);
  const last = await site.startWorker('--initiate');
  await untilEnded(site);
  const left = await done(site);
  t.equal(left.squares + left.marks, orders, 'what is stored has no mark, and the other way round');

  rmSync(site.path('slow'));
  for (const name of names) {
    const job = JSON.parse(
      (await shell.run(`linod rule ${await ruleOf(site, name)} run --wait --json`)).stdout,
    );
    t.equal(job.status, 'done', name);
  }
  t.same(await done(site), { problems: orders / 2, squares: orders, marks: 0, oldJobs: 1 });
  last.kill('SIGTERM');
  t.equal((await last.ended()).code, 0);
}

for (const kind of ['inline', 'thread', 'process'] as const) {
  t.test(`${kind}: ended or killed in the middle, what is done is done, and the rest is done next`, (t) =>
    check(t, kind),
  );
}

const meetings = 2000;

/** Meetings in half an hour. */
const calendar = `import { registerEventSource } from 'linod/procedures';

const start = new Date(${Date.now() + 1_800_000});

registerEventSource({
  name: 'meetings',
  *upcoming() {
    for (let i = 0; i < ${meetings}; i++) {
      yield { id: String(i), start, to: 'ann', subject: 'Meeting ' + i };
    }
  },
});
`;

t.test(
  'a worker killed while it plans or sends reminders leaves none out, and sends none twice',
  async (t) => {
    const files = { 'procedures/calendar.js': calendar };
    const site = new LiveSite(t, { files, shippedProcedures: true });
    const shell = await CommandShell.start(t, site.directory);
    await shell.run('linod rules sync');
    // What carries the messages further has no part in this.
    await shell.run(`linod rule ${await ruleOf(site, 'send_pending_emails_often')} cancel`);
    const run = `linod rule ${await ruleOf(site, 'event_notification_scheduler')} run`;
    const { db } = await site.store();
    const tables = db.withTables<ProcedureTables>();
    const owners = async () =>
      (await tables.selectFrom('user_messages').select('owner').execute()).map((row) => row.owner);
    const planned = async () => (await tables.selectFrom('event_reminders').select('id').execute()).length;
    const startAndKill = async (what: string, isTime: () => Promise<boolean>) => {
      const worker = await site.startWorker('--initiate');
      await shell.run(run);
      await eventually(what, isTime);
      worker.kill('SIGKILL');
      await worker.ended();
    };
    await startAndKill('some are planned', async () => (await planned()) > 0);
    await startAndKill('some are sent', async () => (await owners()).length > 0);
    const before = (await owners()).length;
    t.ok(before < meetings, `killed after ${before}`);

    const last = await site.startWorker();
    for (let i = 0; i < 2; i++) t.equal((await shell.run(`${run} --wait`)).code, 0);
    const all = await owners();
    t.same([all.length, new Set(all).size, await planned()], [meetings, meetings, meetings]);
    last.kill('SIGTERM');
    t.equal((await last.ended()).code, 0);
  },
);
