// A site for tests: a directory with a configuration, its database, and the tasks on it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createTasks, type SiteTasks } from '../../src/actors/site-tasks.js';
import { ChoiceList } from '../../src/base/choices.js';
import { Logger } from '../../src/log/logger.js';
import type { LogSink } from '../../src/log/sink.js';
import { Procedure, type ProcedureFunction, type ScheduleOptions } from '../../src/rules/procedure.js';
import { ownProgram, type RunProgram } from '../../src/runs/remote/host.js';
import { loadSite, type Site, type SiteConfig } from '../../src/site/site.js';
import { ownMigrations } from '../../src/store/migrations/index.js';
import { openStore, type Store } from '../../src/store/store.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { migratedDatabase } from './database.js';
import { testDirectory } from './directory.js';

/** Makes a site's directory with a JSON configuration; it vanishes with the test. Short enough for sockets. */
export function siteDirectory(t: Test, config: SiteConfig = {}): string {
  const directory = testDirectory(t);
  const settings = { name: 'test', timezone: 'UTC', shippedProcedures: false, ...config };
  writeFileSync(join(directory, 'linod.config.json'), JSON.stringify(settings));
  return directory;
}

/** Tasks on a fake clock, with everything behind them. */
export interface Bench extends SiteTasks {
  readonly site: Site;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly procedures: ChoiceList<Procedure>;
  /** Every record that was logged: level, logger and message. */
  readonly records: string[];
  add(name: string, func: ProcedureFunction, options?: ScheduleOptions): Procedure;
  /** Registers the worker under which jobs run as living. */
  join(workerId?: string): Promise<void>;
}

/**
 * What threads and processes of runs execute: as built, without tap's hooks, which come by the arguments of this process
 * and by NODE_OPTIONS.
 */
const builtProgram: RunProgram = {
  ...ownProgram(),
  execArgv: [],
};

/** The instant at which the clock of a bench begins: a Tuesday, noon. */
export const noon = Date.UTC(2026, 10, 24, 12);

export async function openBench(
  t: Test,
  {
    maxJobs = 10,
    workerId = 'w1',
    store: shared,
    clock = new ManualClock(noon),
  }: {
    maxJobs?: number;
    workerId?: string;
    store?: Store;
    clock?: ManualClock;
  } = {},
): Promise<Bench> {
  const directory = siteDirectory(t, { maxJobs });
  const databaseUrl = await migratedDatabase(t, directory);
  const site = await loadSite(directory, { environment: {}, flags: { databaseUrl } });
  const store = shared ?? (await openStore({ url: databaseUrl, migrations: [ownMigrations], clock }));
  if (shared === undefined) t.teardown(() => store.close());
  const records: string[] = [];
  const sink: LogSink = { write: (level, name, message) => records.push(`${level} ${name}: ${message}`) };
  const procedures = new ChoiceList<Procedure>();
  const logger = new Logger({ sink, name: 'tasks', level: 'DEBUG' });
  const options = { site, store, procedures, clock, sink, logger, workerId, program: builtProgram };
  const all = createTasks(options);
  t.teardown(all.close);
  return {
    ...all,
    site,
    store,
    clock,
    procedures,
    records,
    add: (name, func, options = {}) => procedures.add(new Procedure(name, func, options, 'test')),
    join: async (id = workerId) => {
      await store.db
        .insertInto('workers')
        .values({
          id,
          host: 'elsewhere',
          pid: 1,
          pid_start: '1',
          channels: '',
          version: '',
          started_at: clock.now(),
          heartbeat_at: clock.now(),
        })
        .execute();
    },
  };
}
