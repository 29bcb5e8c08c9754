// The tasks of a site, put together.

import type { ChoiceList } from '../base/choices.js';
import { type SteadyClock, systemClock } from '../base/clock.js';
import { LevelTree } from '../log/levels/level-tree.js';
import { Logger } from '../log/logger.js';
import type { LogSink } from '../log/sink.js';
import { OutsideChanges } from '../rules/changes/outside-changes.js';
import { RuleHistory } from '../rules/changes/rule-history.js';
import { RulesPlans } from '../rules/changes/rules-plan.js';
import type { RuleEntry } from '../rules/ledger.js';
import { type Procedure, Procedures } from '../rules/procedure.js';
import { Rules } from '../rules/site-rules.js';
import { Jobs } from '../runs/job-table.js';
import type { RunProgram } from '../runs/remote/host.js';
import { HostPool } from '../runs/remote/pool.js';
import { JobRunner } from '../runs/runner.js';
import type { RunsWatch } from '../scheduler/active-runs.js';
import { Claimer } from '../scheduler/claim.js';
import { Ends } from '../scheduler/finish.js';
import { Requests } from '../scheduler/requests.js';
import { Tasks } from '../scheduler/tasks.js';
import { configuredLevels } from '../site/settings.js';
import { type Site, workerSettings } from '../site/site.js';
import type { Store } from '../store/store.js';

export interface CreateTasksOptions {
  readonly site: Site;
  readonly store: Store;
  /** Default: all that are registered. */
  readonly procedures?: ChoiceList<Procedure>;
  readonly clock?: SteadyClock;
  /** Asked before what is due is looked at, when the clock seems to have been set; default: nothing. */
  readonly adjustClock?: () => Promise<void>;
  /** Where the runs' log goes, besides to their jobs. Default: nowhere. */
  readonly sink?: LogSink;
  /** The levels below which the runs' log does not go there. Default: those of the site's settings. */
  readonly levels?: LevelTree;
  /** Logs what the tasks do. Default: to the sink. */
  readonly logger?: Logger;
  /** The name under which jobs run. A worker gives the one under which it is a member. */
  readonly workerId?: string;
  /** Called when a run has ended and something may begin because of that, or has asked for another one. */
  readonly onSlotFree?: () => void;
  /** Called with what was decided and run, for metrics. Must not throw. */
  readonly watch?: TasksWatch;
  /** Runs everything on this process's event loop, whatever the rules say: for tests of procedures. */
  readonly alwaysInline?: boolean;
  /** What threads and processes of runs execute. Default: this package's own program. */
  readonly program?: RunProgram;
}

export interface TasksWatch extends RunsWatch {
  /** Entries of the ledger that were committed here. */
  decided(entries: readonly RuleEntry[]): void;
}

export interface SiteTasks {
  readonly tasks: Tasks;
  readonly rules: Rules;
  readonly jobs: Jobs;
  readonly requests: Requests;
  readonly claimer: Claimer;
  readonly ends: Ends;
  readonly history: RuleHistory;
  readonly outside: OutsideChanges;
  readonly plans: RulesPlans;
  /** Ends the threads and processes that wait for runs. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * The tasks of a site and their tables, for a worker or for another program.
 *
 * @example
 * const { tasks } = createTasks({ site, store });
 * await tasks.setup();
 * console.log(await tasks.status());
 */
export function createTasks(options: CreateTasksOptions): SiteTasks {
  const { site, store } = options;
  const {
    procedures = Procedures,
    clock = systemClock,
    sink = nowhere,
    workerId = `pid ${process.pid}`,
  } = options;
  const { timezone, maxJobs } = site.settings;
  const levels = options.levels ?? new LevelTree(configuredLevels(site.settings));
  const rules = new Rules(store.db, timezone, clock, workerId, (entries) => options.watch?.decided(entries));
  const jobs = new Jobs(store.db, workerId);
  const requests = new Requests(rules);
  const claimer = new Claimer(rules);
  const ends = new Ends(rules);
  const pool = new HostPool({
    program: options.program,
    begin: {
      linod: 'begin',
      directory: site.directory,
      settings: workerSettings(site),
      workerId,
      pid: process.pid,
    },
    clock,
  });
  const runner = new JobRunner({
    pool,
    alwaysInline: options.alwaysInline ?? false,
    site,
    db: store.db,
    connect: store.connect,
    onRequest: () => options.onSlotFree?.(),
    procedures,
    workerId,
    jobs,
    sink,
    levels,
    clock,
  });
  const logger = options.logger ?? new Logger({ sink, name: 'linod.tasks', levels });
  const tasks = new Tasks({
    rules,
    jobs,
    requests,
    claimer,
    ends,
    runner,
    procedures,
    clock,
    adjustClock: options.adjustClock ?? (async () => undefined),
    logger,
    maxJobs,
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.onSlotFree === undefined ? {} : { onSlotFree: options.onSlotFree }),
  });
  const history = new RuleHistory(rules);
  const plans = new RulesPlans(rules, procedures);
  const outside = new OutsideChanges(rules, logger);
  const close = () => pool.close();
  return { tasks, rules, jobs, requests, claimer, ends, history, outside, plans, close };
}

const nowhere: LogSink = { write: () => undefined };
