// What a procedure is handed, for tests: a real database, a clock that stands still, and all that was said.

import type { Kysely } from 'kysely';
import type { Test } from 'tap';
import type { ProcedureTables } from '../../procedures/index.js';
import {
  type BaseRequest,
  type Database,
  type JobStatus,
  type Procedure,
  type Site,
  transact,
} from '../../src/index.js';
import { Logger } from '../../src/log/logger.js';
import type { LogSink } from '../../src/log/sink.js';
import { loadSite, type SiteConfig } from '../../src/site/site.js';
import { openStore, type Store } from '../../src/store/store.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { migratedDatabase } from './database.js';
import { noon, siteDirectory } from './site.js';

type Progress = readonly [done: number, total: number | undefined, text: string | undefined];

/** A request, and what was done with it. */
export interface FakeRequest extends BaseRequest {
  /** `WARNING text`, in order. */
  readonly lines: readonly string[];
  /** The rules of which it asked for a run. */
  readonly requested: ReadonlyArray<number | string>;
  readonly progresses: readonly Progress[];
  abort(): void;
}

/** A site's database with the tables of the shipped procedures, and runs of them. */
export interface ProcedureBench {
  readonly site: Site;
  readonly store: Store;
  /** The same database, typed with these tables. */
  readonly db: Kysely<Database & ProcedureTables>;
  readonly clock: ManualClock;
  /** A request of a job that is running. */
  request(): Promise<FakeRequest>;
  /** Runs a procedure in a job of its own, which is done then. `before` gets the request first. */
  run(procedure: Pick<Procedure, 'run'>, before?: (ar: FakeRequest) => void): Promise<FakeRequest>;
  /** Ends a job as that of a worker that died. */
  lose(ar: FakeRequest): Promise<void>;
}

/** @param config settings of the site, besides its name and its zone */
export async function openProcedureBench(t: Test, config: SiteConfig = {}): Promise<ProcedureBench> {
  const clock = new ManualClock(noon);
  const site = await loadSite(siteDirectory(t, config), { environment: {} });
  const store = await openStore({ url: await migratedDatabase(t, site.directory), clock });
  t.teardown(() => store.close());
  const db: ProcedureBench['db'] = store.db.withTables<ProcedureTables>();
  await insertRule(store);
  const request = async () => fakeRequest({ site, store, clock, jobId: await insertJob(store, clock) });
  return {
    site,
    store,
    db,
    clock,
    request,
    run: async (procedure, before) => {
      const ar = await request();
      before?.(ar);
      await procedure.run(ar);
      await endJob(store, ar, 'done');
      return ar;
    },
    lose: async (ar) => await endJob(store, ar, 'lost'),
  };
}

interface RequestContext {
  readonly site: Site;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly jobId: number;
}

function fakeRequest({ site, store, clock, jobId }: RequestContext): FakeRequest {
  const lines: string[] = [];
  const requested: Array<number | string> = [];
  const progresses: Progress[] = [];
  const sink: LogSink = { write: (level, _name, message) => lines.push(`${level} ${message}`) };
  const logger = new Logger({ sink, name: 'test', level: 'DEBUG' });
  const controller = new AbortController();
  return {
    site,
    db: store.db,
    logger,
    signal: controller.signal,
    user: null,
    jobId,
    dueAt: null,
    args: null,
    attempt: 1,
    lastCheckpoint: null,
    checkpoint: async () => undefined,
    transaction: (work) => transact(store.db, work),
    requestRun: async (rule) => requested.push(rule),
    now: () => new Date(clock.now()),
    progress: (done, total, text) => progresses.push([done, total, text]),
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warning: (message, fields) => logger.warning(message, fields),
    error: (message, detail) => logger.error(message, detail),
    lines,
    requested,
    progresses,
    abort: () => controller.abort(new Error('the run is to end')),
  };
}

async function insertRule({ db }: Store): Promise<void> {
  await db
    .insertInto('job_rules')
    .values({
      id: 1,
      seqno: 1,
      name: 'test',
      procedure: 'test',
      suggestion: '{}',
      created_at: noon,
    })
    .execute();
}

async function insertJob({ db }: Store, clock: ManualClock): Promise<number> {
  const { id } = await db
    .insertInto('jobs')
    .values({
      rule_id: 1,
      procedure: 'test',
      start_datetime: clock.now(),
      status: 'running',
      message: '',
      worker_id: 'w1',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function endJob({ db }: Store, { jobId }: FakeRequest, status: JobStatus): Promise<void> {
  await db.updateTable('jobs').set({ status }).where('id', '=', jobId).execute();
}
