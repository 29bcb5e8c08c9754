// Facts from the database. It is read as it is: it is not migrated, and nothing is written.

import { existsSync } from 'node:fs';
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { LinodError } from '../base/errors.js';
import { ownerState } from '../base/process-owner.js';
import { siteProblems } from '../insight/site-health.js';
import { parseHealth } from '../membership/worker-health.js';
import type { Site } from '../site/site.js';
import { dialectOf, hasTable, idList } from '../store/dialect.js';
import { migrationSets } from '../store/migrations/index.js';
import type { Database, WorkerRow } from '../store/schema.js';
import { connector } from '../store/store.js';
import { missing, NotRunError, type Part, part } from './part.js';

export interface StoreFacts {
  readonly database: Part<DatabaseFacts>;
  readonly workers: Part<readonly WorkerFacts[]>;
  /** What `linod status` reports of workers and coroutines. */
  readonly workerProblems: Part<readonly string[]>;
  readonly rules: Part<RuleFacts>;
  readonly waitingMails: Part<number>;
  readonly alarms: Part<AlarmFacts>;
}

export interface DatabaseFacts {
  readonly waitingMigrations: readonly string[];
  readonly unknownMigrations: readonly string[];
  /** How far this machine's clock is ahead of the database's. */
  readonly skewMs: number;
}

export interface WorkerFacts extends Pick<WorkerRow, 'id' | 'version' | 'procedures'> {
  /** How far its clock is ahead of the database's, as it reported. */
  readonly skewMs: number;
}

export interface RuleFact {
  readonly id: number;
  readonly name: string;
  readonly procedure: string;
  readonly timezone: string | null;
  readonly nextDueAt: number | null;
}

export interface RuleFacts {
  /** The rules that are neither cancelled nor removed. */
  readonly active: readonly RuleFact[];
  /** Rules without any run, and how many of their due times have passed. */
  readonly neverRan: ReadonlyMap<number, number>;
  /** Of the newest decisions: how many runs of each rule began late and on time. */
  readonly starts: ReadonlyMap<number, { readonly late: number; readonly onTime: number }>;
}

export interface AlarmFacts {
  /** How many rules must succeed within some time. */
  readonly watchedRules: number;
  /** How many incidents are open. */
  readonly open: number;
  /** Messages that several attempts have not delivered, with the last answer. */
  readonly undelivered: readonly string[];
}

/** How many of the newest decisions are read. */
const newestDecisions = 20_000;
/** After these, a message about an alarm counts as not delivered. */
const manyAttempts = 3;

export async function gatherStore(site: Site): Promise<StoreFacts> {
  const connection = await part(() => connect(site));
  const use = async <T>(work: (db: Kysely<Database>) => Promise<T>): Promise<Part<T>> => {
    const { problem } = connection;
    return problem === null ? await part(() => work(connection.get())) : missing(problem, problem);
  };
  try {
    const database = await use(gatherDatabase);
    const rows = await use(runningWorkers);
    return {
      database,
      workers: await part(() => rows.get().map(workerFacts)),
      workerProblems: await use(async (db) => {
        const orders = await db.selectFrom('start_orders').select('name').execute();
        const ordered = orders.map(({ name }) => name);
        const now = Date.now() - database.get().skewMs;
        const problems = siteProblems({ site, workers: rows.get(), ordered, now });
        return problems.filter(({ code }) => code !== 'disk-full').map(({ text }) => text);
      }),
      rules: await use(gatherRules),
      waitingMails: await use(countMails),
      alarms: await use(gatherAlarms),
    };
  } finally {
    if (connection.has) await connection.get().destroy();
  }
}

async function connect({ settings: { databaseUrl } }: Site): Promise<Kysely<Database>> {
  const path = /^sqlite:(.*)$/.exec(databaseUrl)?.[1];
  if (path !== undefined && !existsSync(path))
    throw new LinodError('LINOD_ERR_NO_DATABASE', `there is no database ${path} yet: run linod migrate`);
  return (await connector(databaseUrl))();
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
  return {
    waitingMigrations: known.filter((name) => !names.has(name)),
    unknownMigrations: [...names].filter((name) => !known.includes(name)),
    skewMs,
  };
}

/** Workers that have not stopped, without those whose process is gone. */
async function runningWorkers(db: Kysely<Database>): Promise<WorkerRow[]> {
  const rows = await db.selectFrom('workers').selectAll().where('stopped_at', 'is', null).execute();
  return rows.filter(({ host, pid, pid_start: start }) => ownerState({ host, pid, start }) !== 'dead');
}

function workerFacts({ id, version, procedures, health }: WorkerRow): WorkerFacts {
  return { id, version, procedures, skewMs: parseHealth(health)?.skewMs ?? 0 };
}

async function gatherRules(db: Kysely<Database>): Promise<RuleFacts> {
  const active: RuleFact[] = await db
    .selectFrom('job_rules')
    .select(['id', 'name', 'procedure', 'timezone', 'next_due_at as nextDueAt'])
    .where('removed_at', 'is', null)
    .where('cancelled_at', 'is', null)
    .orderBy('id')
    .execute();
  const starts = await db
    .selectFrom('decisions')
    .select(['rule_id', 'reason', (eb) => eb.fn.countAll<number>().as('times')])
    .where('id', '>', sql<number>`(select coalesce(max(id), 0) - ${newestDecisions} from decisions)`)
    .where('reason', 'in', ['late', 'started'])
    .groupBy(['rule_id', 'reason'])
    .execute();
  return { active, neverRan: await passedWithoutRun(db), starts: startsByRule(starts) };
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
