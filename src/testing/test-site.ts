// A site for the tests of an application: its rules run by the code that runs them in production, on a clock that the
// test moves.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChoiceList } from '../choices.js';
import { LinodError, UsageError } from '../errors.js';
import type { Fields } from '../log/fields.js';
import type { LevelName } from '../log/levels.js';
import { type Procedure, Procedures } from '../procedure.js';
import { loadSite, type Site, type SiteConfig } from '../site.js';
import { openStore, type Store } from '../store/store.js';
import { createTasks, type SiteTasks } from '../tasks/create-tasks.js';
import { readOutlook } from '../tasks/due.js';
import { type Job, jobFromRow } from '../tasks/job.js';
import { ManualClock } from './manual-clock.js';

export interface TestSiteOptions extends SiteConfig {
  /** Where the clock begins, with an offset or `Z`: `2026-11-24T12:00:00Z`. Default: the beginning of 2026. */
  readonly now?: Date | string;
  /** Default: all that are registered when it is opened. */
  readonly procedureList?: ChoiceList<Procedure>;
}

/** A record that a run or the tasks logged. */
export interface TestRecord {
  readonly level: LevelName;
  readonly logger: string;
  readonly message: string;
  readonly fields: Fields | undefined;
}

/** A run that would begin. */
export interface PlannedRun {
  /** The rule's name. */
  readonly rule: string;
  readonly at: Date;
}

/** What is due asks for more and more at the same instant. */
export class NeverDoneError extends LinodError {
  constructor(rounds: number) {
    super('LINOD_ERR_NEVER_DONE', `there was still something to run after ${rounds} rounds at the same time`);
  }
}

/** Each round runs all that can be run; a run that asks for the next one makes one more. */
const maxRounds = 1000;
/** Nobody compares a longer list with anything. */
const maxPlanned = 10_000;

/**
 * Opens a site with a database of its own, which vanishes when it is closed. It has a rule for each procedure, and its
 * clock stands still until the test moves it. Runs take place in this process.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`), UsageError (`LINOD_ERR_USAGE`) for a time that is none
 * @example
 * const site = await openTestSite({ now: '2026-11-24T12:00:00Z' });
 * t.same(await site.wouldRun('2026-11-25T00:00:00Z'), [{ rule: 'send_invoices', at: new Date('2026-11-24T20:00:00Z') }]);
 * const [job] = await site.advanceTo('2026-11-24T20:00:00Z');
 * t.equal(job?.status, 'done');
 * await site.close();
 */
export async function openTestSite(options: TestSiteOptions = {}): Promise<TestSite> {
  const { now = '2026-01-01T00:00:00Z', procedureList = Procedures, ...config } = options;
  const clock = new ManualClock(instant(now));
  const directory = await mkdtemp(join(tmpdir(), 'linod-test-'));
  const removeDirectory = () => rm(directory, { recursive: true, force: true });
  try {
    await writeFile(join(directory, 'linod.config.json'), '{}');
    const flags = { name: 'test', timezone: 'UTC', ...config };
    const site = await loadSite(directory, { flags, flagsPlace: 'openTestSite', environment: {} });
    const store = await openStore({ url: site.settings.databaseUrl, clock });
    const testSite = new TestSite({ site, store, clock, procedures: procedureList, removeDirectory });
    await testSite.tasks.setup();
    return testSite;
  } catch (error) {
    await removeDirectory();
    throw error;
  }
}

interface TestSiteContext {
  readonly site: Site;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly procedures: ChoiceList<Procedure>;
  readonly removeDirectory: () => Promise<void>;
}

/** Made by {@link openTestSite}. */
export class TestSite {
  readonly site: Site;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly tasks: SiteTasks['tasks'];
  readonly rules: SiteTasks['rules'];
  readonly jobs: SiteTasks['jobs'];
  readonly requests: SiteTasks['requests'];
  /** All that was logged, in its order. */
  readonly records: TestRecord[] = [];
  readonly #removeDirectory: () => Promise<void>;

  constructor({ site, store, clock, procedures, removeDirectory }: TestSiteContext) {
    this.site = site;
    this.store = store;
    this.clock = clock;
    this.#removeDirectory = removeDirectory;
    const sink = {
      write: (level: LevelName, logger: string, message: string, fields?: Fields) => {
        this.records.push({ level, logger, message, fields });
      },
    };
    const options = { site, store, clock, procedures, sink, workerId: 'test', alwaysInline: true };
    const { tasks, rules, jobs, requests } = createTasks(options);
    this.tasks = tasks;
    this.rules = rules;
    this.jobs = jobs;
    this.requests = requests;
  }

  /**
   * Runs all that is due or was asked for, and what follows from that, without moving the clock.
   *
   * @returns the jobs that have ended since, in the order in which they began
   * @throws NeverDoneError (`LINOD_ERR_NEVER_DONE`) when runs ask for further ones without an end
   */
  async drain(): Promise<Job[]> {
    const first = await this.#lastJob();
    let last = first;
    for (let round = 0; ; round++) {
      if (round === maxRounds) throw new NeverDoneError(maxRounds);
      await this.tasks.run();
      await this.tasks.settled();
      const newest = await this.#lastJob();
      if (newest === last) return await this.#jobsAfter(first);
      last = newest;
    }
  }

  /**
   * Moves the clock on, and runs what comes due on the way, each at its time. The clock stands still while something
   * runs.
   *
   * @param ms how far, in milliseconds
   * @returns the jobs that have ended since, in the order in which they began
   * @throws UsageError (`LINOD_ERR_USAGE`) when that is no number, or back
   */
  async advance(ms: number): Promise<Job[]> {
    if (!(ms >= 0)) throw new UsageError(`expected ms to be a number of milliseconds from 0 on, got: ${ms}`);
    return await this.#advanceTo(this.clock.now() + ms);
  }

  /**
   * As {@link advance}, to an instant.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for one that is none, or that is over
   */
  async advanceTo(time: Date | string): Promise<Job[]> {
    const end = instant(time);
    const now = this.clock.now();
    if (end < now) {
      const [wanted, shown] = [end, now].map((at) => new Date(at).toISOString());
      throw new UsageError(`cannot go back to ${wanted}: it is ${shown}; set the clock with clock.setTo`);
    }
    return await this.#advanceTo(end);
  }

  /**
   * Asks for a run of a rule, as a person or another procedure may, and runs it.
   *
   * @param rule its number, its name, or the name of its procedure
   * @param args what it gets as `ar.args`: anything that JSON can say
   * @returns its job; when the rule's policies do not let it run, null
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
   */
  async run(rule: number | string, args?: unknown): Promise<Job | null> {
    const request = await this.requests.add(rule, 'run', 'the test', args === undefined ? {} : { args });
    const jobs = await this.drain();
    return jobs.find((job) => job.requestId === request) ?? null;
  }

  /**
   * What would come due later than now and up to an instant, in its order; nothing is run. Rules that run after others
   * are not in it, nor are further attempts.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for a time that is none, or when they are more than 10,000
   */
  async wouldRun(until: Date | string): Promise<PlannedRun[]> {
    const end = instant(until);
    const planned: PlannedRun[] = [];
    for (const rule of await this.rules.list()) {
      let at = rule.dueAfter(new Date(this.clock.now()));
      while (at !== null && at.getTime() <= end) {
        if (planned.push({ rule: rule.name, at }) > maxPlanned) {
          throw new UsageError(`more than ${maxPlanned} runs until then; ask for a shorter time`);
        }
        at = rule.dueAfter(at);
      }
    }
    return planned.sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  /** Ends what still runs, closes the database and deletes it. Safe to call twice. */
  async close(): Promise<void> {
    this.tasks.abortAll('the test is over', 0);
    let isSettled = false;
    const settled = this.tasks.settled().then(() => {
      isSettled = true;
    });
    // Who does not look at its signal is left alone at once; but that, too, is a call of the clock.
    while (!isSettled) {
      this.clock.advance(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled;
    await this.store.close();
    await this.#removeDirectory();
  }

  async #advanceTo(end: number): Promise<Job[]> {
    const first = await this.#lastJob();
    await this.drain();
    for (let next = await this.#nextAt(); next <= end; next = await this.#nextAt()) {
      this.clock.advance(next - this.clock.now());
      await this.drain();
    }
    this.clock.advance(end - this.clock.now());
    return await this.#jobsAfter(first);
  }

  /** When something comes due. What is due now and cannot run is looked at when something else happens. */
  async #nextAt(): Promise<number> {
    const { nextDue, nextAsked } = await readOutlook(this.store.db, this.clock.now());
    return Math.min(nextDue ?? Number.POSITIVE_INFINITY, nextAsked ?? Number.POSITIVE_INFINITY);
  }

  async #lastJob(): Promise<number> {
    const row = await this.store.db
      .selectFrom('jobs')
      .select((eb) => eb.fn.max('id').as('id'))
      .executeTakeFirst();
    return row?.id ?? 0;
  }

  async #jobsAfter(id: number): Promise<Job[]> {
    const rows = await this.store.db
      .selectFrom('jobs')
      .selectAll()
      .where('id', '>', id)
      .orderBy('id')
      .execute();
    return rows.map(jobFromRow);
  }
}

/** @throws UsageError for what is no instant */
function instant(time: Date | string): number {
  const isClear = typeof time !== 'string' || /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(time);
  const at = isClear ? new Date(time).getTime() : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const told = typeof time === 'string' ? JSON.stringify(time) : 'a Date that is none';
  throw new UsageError(`expected an instant with an offset, such as "2026-11-24T20:00:00Z", got: ${told}`);
}
