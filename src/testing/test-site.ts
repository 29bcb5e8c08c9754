// A site for the tests of an application. The production code runs its rules, on a clock that the test moves.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTasks, type SiteTasks } from '../actors/site-tasks.js';
import type { ChoiceList } from '../base/choices.js';
import { LinodError, UsageError } from '../base/errors.js';
import type { LevelName } from '../base/log-levels.js';
import type { Fields } from '../log/fields.js';
import { type Procedure, Procedures } from '../rules/procedure.js';
import { type Job, jobFromRow } from '../runs/job.js';
import { readPendingWork } from '../scheduler/due.js';
import { loadSite, type Site, type SiteConfig } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { ManualClock } from './manual-clock.js';

export interface TestSiteOptions extends SiteConfig {
  /**
   * The clock's initial time, with an offset or `Z`: `2026-11-24T12:00:00Z`. Default: the beginning of 2026.
   */
  readonly now?: Date | string;
  /** Default: all procedures that are registered when the site is opened. */
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

/** Runs request further runs at the same instant without an end. */
export class NeverDoneError extends LinodError {
  constructor(rounds: number) {
    super(
      'LINOD_ERR_NEVER_DONE',
      `runs still request further ones after ${rounds} rounds at the same instant`,
    );
  }
}

/** One round runs everything that can run; a run that requests another adds a round. */
const maxRounds = 1000;
/** Limits the list: a longer one is a mistake. */
const maxPlanned = 10_000;

/**
 * Opens a site with its own database, which `close` deletes. The site has a rule for each procedure. Its
 * clock stands still until the test moves it. Runs take place in this process.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`), UsageError (`LINOD_ERR_USAGE`) for an invalid time
 * @example
 * const site = await openTestSite({ now: '2026-11-24T12:00:00Z' });
 * t.same(await site.wouldRun('2026-11-25T00:00:00Z'), [
 *   { rule: 'send_invoices', at: new Date('2026-11-24T20:00:00Z') },
 * ]);
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
    const site = await loadSite(directory, { flags, flagsLocation: 'openTestSite', environment: {} });
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

/** An open test site. Made by {@link openTestSite}. */
export class TestSite {
  readonly site: Site;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly tasks: SiteTasks['tasks'];
  readonly rules: SiteTasks['rules'];
  readonly jobs: SiteTasks['jobs'];
  readonly requests: SiteTasks['requests'];
  /** All logged records, in order. */
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
   * Runs everything that is due or requested, and what follows from it, without moving the clock.
   *
   * @returns the jobs that have ended since, in the order in which they began
   * @throws NeverDoneError (`LINOD_ERR_NEVER_DONE`) when runs request further ones without an end
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
   * Moves the clock forward, and runs what comes due on the way, each at its time. The clock stands still
   * during a run.
   *
   * @param ms how far, in milliseconds
   * @returns the jobs that have ended since, in the order in which they began
   * @throws UsageError (`LINOD_ERR_USAGE`) when `ms` is negative or no number
   */
  async advance(ms: number): Promise<Job[]> {
    if (!(ms >= 0))
      throw new UsageError(`expected ms to be a number of milliseconds, at least 0, got: ${ms}`);
    return await this.#advanceTo(this.clock.now() + ms);
  }

  /**
   * Moves the clock to an instant, as {@link advance} does.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for an invalid or a past instant
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
   * Requests a run of a rule, as a person or another procedure may, and runs it.
   *
   * @param rule its number, its name, or the name of its procedure
   * @param args JSON data for the run, as `ar.args`
   * @returns its job; null when the rule's policies do not let it run
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
   */
  async run(rule: number | string, args?: unknown): Promise<Job | null> {
    const request = await this.requests.add(rule, 'run', 'the test', args === undefined ? {} : { args });
    const jobs = await this.drain();
    return jobs.find((job) => job.requestId === request) ?? null;
  }

  /**
   * The due times after now and up to an instant, in order. Runs nothing. Does not include rules that run
   * after others, nor further attempts.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for an invalid time, or more than 10,000 due times
   */
  async wouldRun(until: Date | string): Promise<PlannedRun[]> {
    const end = instant(until);
    const planned: PlannedRun[] = [];
    for (const rule of await this.rules.list()) {
      let at = rule.dueAfter(new Date(this.clock.now()));
      while (at !== null && at.getTime() <= end) {
        if (planned.push({ rule: rule.name, at }) > maxPlanned) {
          throw new UsageError(
            `more than ${maxPlanned} due times before that instant; choose an earlier one`,
          );
        }
        at = rule.dueAfter(at);
      }
    }
    return planned.sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  /** Ends the runs that are still going on, closes the database and deletes it. Safe to call twice. */
  async close(): Promise<void> {
    this.tasks.abortAll('the test is over', 0);
    let isSettled = false;
    const settled = this.tasks.settled().then(() => {
      isSettled = true;
    });
    // The timeout of runs that ignore their signal is 0 ms, but it still needs a tick of the clock.
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

  /** The next instant at which something comes due. What cannot run now waits for the next event. */
  async #nextAt(): Promise<number> {
    const { nextDue, nextAsked } = await readPendingWork(this.store.db, this.clock.now());
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

/** @throws UsageError for an invalid instant */
function instant(time: Date | string): number {
  const isClear = typeof time !== 'string' || /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(time);
  const at = isClear ? new Date(time).getTime() : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const shown = typeof time === 'string' ? JSON.stringify(time) : 'an invalid Date';
  throw new UsageError(`expected an instant with an offset, such as "2026-11-24T20:00:00Z", got: ${shown}`);
}
