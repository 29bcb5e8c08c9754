// Facts from the database. It is read as it is: it is not migrated, and nothing is written.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { isSuspended, ownerState } from '../base/process-owner.js';
import { parseHealth } from '../membership/worker-health.js';
import type { Site } from '../site/site.js';
import { dialectOf, hasTable, idList } from '../store/dialect.js';
import { migrationSets } from '../store/migrations/index.js';
import type { Database } from '../store/schema.js';
import { connector } from '../store/store.js';
import { NotRunError } from './check.js';
import type { AlarmFacts, DatabaseFacts, Facts, RuleFact, RuleFacts, WorkerFacts } from './facts.js';
import { part } from './part.js';

export type StoreParts = Pick<
  Facts,
  'databaseProblem' | 'database' | 'integrity' | 'workers' | 'rules' | 'waitingMails' | 'alarms'
>;

/** How many of the newest decisions are read. */
const newestDecisions = 20_000;
const integrityTimeoutMs = 3000;
/** After these, a message about an alarm counts as not delivered. */
const manyAttempts = 3;

export async function gatherStore(site: Site): Promise<StoreParts> {
  const path = /^sqlite:(.*)$/.exec(site.settings.databaseUrl)?.[1];
  const integrity = part(() => checkIntegrity(path));
  const connection = await part(async () => {
    if (path !== undefined && !existsSync(path)) throw new NotRunError(`there is no database ${path} yet`);
    return (await connector(site.settings.databaseUrl))();
  });
  const use = <T>(work: (db: Kysely<Database>) => Promise<T>) => part(() => work(connection.get()));
  try {
    const database = await use(gatherDatabase);
    const [workers, rules] = [await use(gatherWorkers), await use(gatherRules)];
    const [mails, alarms] = [await use(countMails), await use(gatherAlarms)];
    return {
      databaseProblem: database.problem,
      database: database.get,
      integrity: (await integrity).get,
      workers: workers.get,
      rules: rules.get,
      waitingMails: mails.get,
      alarms: alarms.get,
    };
  } finally {
    if (connection.problem === null) await connection.get().destroy();
  }
}

/** In a process of its own: it can be ended, however large the file is. */
async function checkIntegrity(path: string | undefined): Promise<string[]> {
  if (path === undefined) throw new NotRunError('the database is PostgreSQL, which checks itself');
  const script = `
    const [module, path] = process.argv.slice(1);
    const database = new (require(module))(path, { readonly: true });
    const rows = database.pragma('quick_check(10)').map((row) => row.quick_check);
    console.log(JSON.stringify(rows.filter((text) => text !== 'ok')));`;
  const module = createRequire(import.meta.url).resolve('better-sqlite3');
  try {
    const options = { timeout: integrityTimeoutMs, killSignal: 'SIGKILL' as const };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, module, path], options);
    return JSON.parse(stdout);
  } catch (error) {
    if (error instanceof Error && 'killed' in error && error.killed === true)
      throw new NotRunError(
        `it takes longer than ${integrityTimeoutMs / 1000} s: sqlite3 ${path} "pragma quick_check"`,
      );
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return [/^.*Error: (.*)$/m.exec(text)?.[1] ?? text];
  }
}

async function gatherDatabase(db: Kysely<Database>): Promise<DatabaseFacts> {
  const ran = (await hasTable(db, 'linod_migrations'))
    ? (await sql<{ owner: string; name: string }>`select owner, name from linod_migrations`.execute(db)).rows
    : [];
  // The tables of a module that has none yet come with its first use.
  const owners = new Set(['linod', ...ran.map(({ owner }) => owner)]);
  const sets = migrationSets().filter(({ owner }) => owners.has(owner));
  const known = sets.flatMap(({ owner, migrations }) => migrations.map(({ name }) => `${owner} ${name}`));
  const done = ran.filter(({ owner }) => sets.some((set) => set.owner === owner));
  const names = new Set(done.map(({ owner, name }) => `${owner} ${name}`));
  const before = Date.now();
  const ms =
    dialectOf(db) === 'postgres'
      ? (
          await sql<{
            ms: number;
          }>`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`.execute(db)
        ).rows[0]?.ms
      : undefined;
  const skewMs = ms === undefined ? 0 : Math.round((before + Date.now()) / 2 - ms);
  const orders = names.size === 0 ? [] : await db.selectFrom('start_orders').select('name').execute();
  return {
    waitingMigrations: known.filter((name) => !names.has(name)),
    unknownMigrations: [...names].filter((name) => !known.includes(name)),
    skewMs,
    ordered: orders.map(({ name }) => name),
  };
}

/** Workers that have not stopped, without those whose process is gone. */
async function gatherWorkers(db: Kysely<Database>): Promise<WorkerFacts[]> {
  const rows = await db.selectFrom('workers').selectAll().where('stopped_at', 'is', null).execute();
  return rows.flatMap(({ host, pid_start: start, health, ...row }) => {
    const owner = { host, pid: row.pid, start };
    if (ownerState(owner) === 'dead') return [];
    return [{ ...row, isSuspended: isSuspended(owner), health: parseHealth(health) }];
  });
}

async function gatherRules(db: Kysely<Database>): Promise<RuleFacts> {
  const rules = db
    .selectFrom('job_rules')
    .select(['id', 'name', 'procedure', 'timezone'])
    .select(['next_due_at as nextDueAt', 'failures_in_row as failuresInRow'])
    .where('removed_at', 'is', null);
  const active: RuleFact[] = await rules.where('cancelled_at', 'is', null).orderBy('id').execute();
  const failed = await rules.where('cancelled_by', '=', 'failure').orderBy('id').execute();
  const decisions = db
    .selectFrom('decisions')
    .where('id', '>', (eb) =>
      eb
        .selectFrom('decisions as newest')
        .select((max) =>
          sql<number>`coalesce(${max.fn.max('newest.id')}, 0) - ${newestDecisions}`.as('from'),
        ),
    );
  const starts = await decisions
    .select(['rule_id', 'reason', (eb) => eb.fn.countAll<number>().as('times')])
    .where('reason', 'in', ['late', 'started'])
    .groupBy(['rule_id', 'reason'])
    .execute();
  const slots = await decisions
    .select((eb) => eb.fn.countAll<number>().as('times'))
    .where('detail', 'like', '%all job slots were taken%')
    .executeTakeFirst();
  return {
    active,
    cancelledByFailure: failed.map(({ id, name }) => `${id} ${name}`),
    neverRan: await passedWithoutRun(db),
    starts: startsByRule(starts),
    waitedForSlots: Number(slots?.times ?? 0),
  };
}

async function passedWithoutRun(db: Kysely<Database>): Promise<Map<number, number>> {
  const unrun = await db
    .selectFrom('job_rules')
    .select('id')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('jobs').select('jobs.id').whereRef('jobs.rule_id', '=', 'job_rules.id'))),
    )
    .execute();
  const passed = await db
    .selectFrom('decisions')
    .select(['rule_id', (eb) => eb.fn.sum<number>('times').as('times')])
    .where(
      'rule_id',
      'in',
      idList(
        db,
        unrun.map(({ id }) => id),
      ),
    )
    .where('reason', 'in', ['skipped', 'dropped'])
    .groupBy('rule_id')
    .execute();
  return new Map(passed.map(({ rule_id, times }) => [rule_id, Number(times)]));
}

function startsByRule(
  rows: ReadonlyArray<{ readonly rule_id: number; readonly reason: string; readonly times: number }>,
): Map<number, { late: number; onTime: number }> {
  const byRule = new Map<number, { late: number; onTime: number }>();
  for (const { rule_id, reason, times } of rows) {
    const of = byRule.get(rule_id) ?? { late: 0, onTime: 0 };
    of[reason === 'late' ? 'late' : 'onTime'] += Number(times);
    byRule.set(rule_id, of);
  }
  return byRule;
}

async function countMails(db: Kysely<Database>): Promise<number> {
  if (!(await hasTable(db, 'outbox_mails'))) return 0;
  const { rows } = await sql<{ n: number }>`
    select count(*) as n from outbox_mails where status in ('queued', 'deferred')`.execute(db);
  return Number(rows[0]?.n ?? 0);
}

async function gatherAlarms(db: Kysely<Database>): Promise<AlarmFacts> {
  if (!(await hasTable(db, 'alarms'))) throw new NotRunError('the tables of alarms come with linod migrate');
  const count = (eb: ExpressionBuilder<Database, 'job_rules' | 'alarms'>) => eb.fn.countAll<number>().as('n');
  const watched = await db
    .selectFrom('job_rules')
    .select(count)
    .where('must_succeed_ms', 'is not', null)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  const open = await db.selectFrom('alarms').select(count).where('cleared_at', 'is', null).executeTakeFirst();
  const late = await db
    .selectFrom('alarm_deliveries')
    .select(['way', 'attempts', 'answer'])
    .where('done_at', 'is', null)
    .where('attempts', '>=', manyAttempts)
    .execute();
  return {
    watchedRules: Number(watched?.n),
    open: Number(open?.n),
    undelivered: late.map(({ way, attempts, answer }) => `${way}, after ${attempts} attempts: ${answer}`),
  };
}
