// The rules on a virtual clock: what would run when, decided upon by the code that decides in a worker.

import { LinodError } from '../errors.js';
import type { Zone } from '../recurrence/zone.js';
import { type Circumstances, type Decision, decide, type Entry, type Running } from '../tasks/decide.js';
import { Delays } from '../tasks/delays.js';
import type { JobRule } from '../tasks/rule.js';
import { Occupancy } from './occupancy.js';
import type { RuleReport } from './report.js';

/** As much of a rule as is simulated. */
export type SimulatedRule = Pick<
  JobRule,
  'id' | 'seqno' | 'name' | 'policies' | 'dueAfter' | 'notesBetween' | 'jitterOf'
>;

export interface SimulationOptions {
  /** The rules, without those that are not active. */
  readonly rules: readonly SimulatedRule[];
  /** How long the runs of a rule take, in ms. */
  durationOf(rule: SimulatedRule): number;
  /** By the number of a rule: those that are due when a run of it is done. */
  readonly followers: ReadonlyMap<number, readonly number[]>;
  /** Instants in ms since 1970; `to` is not simulated itself. */
  readonly from: number;
  readonly to: number;
  /** How many jobs run side by side, on all workers. */
  readonly places: number;
  /** The zone by whose hours of the day is told when something runs. */
  readonly zone: Zone;
  /** Called at each instant at which anything happens. */
  readonly onInstant?: (now: number) => void;
}

interface Run extends Running {
  readonly state: RuleState;
  readonly isTimeout: boolean;
}

/** A rule as far as it has come. */
interface RuleState {
  readonly rule: SimulatedRule;
  readonly report: { -readonly [K in keyof RuleReport]: RuleReport[K] };
  dueAt: number | null;
  runs: Run[];
  /** The last due time at which a run still went on. */
  overlapAt: number | null;
}

/** What a simulation found out about the rules and their places. */
export interface Simulated {
  readonly rules: readonly RuleReport[];
  readonly occupancy: Occupancy;
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly name: string; readonly error: string }>;
}

/**
 * Runs all rules on a virtual clock. Every run is done after its rule's duration, or ends at the rule's time-out; nobody
 * asks for runs, and nothing fails.
 */
export function simulate(options: SimulationOptions): Simulated {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #states = new Map<number, RuleState>();
  readonly #due = new Agenda<RuleState>();
  readonly #ends = new Agenda<Run>();
  readonly #occupancy: Occupancy;
  readonly #delays = new Delays();
  readonly #broken: Array<{ rule: number; name: string; error: string }> = [];
  readonly #running = new Set<Run>();
  /** Those that are due now, in the order in which they are looked at. */
  #waiting: RuleState[] = [];
  #lastJob = 0;
  #now: number;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#now = options.from;
    this.#occupancy = new Occupancy(options);
    for (const rule of options.rules) this.#add(rule);
  }

  run(): Simulated {
    const { to, onInstant } = this.#options;
    for (;;) {
      this.#now = Math.min(this.#due.next, this.#ends.next);
      if (this.#now >= to) break;
      onInstant?.(this.#now);
      this.#endRuns();
      this.#takeDue();
      this.#poll();
    }
    // What waits then may have become too late since the last poll.
    this.#now = to - 1;
    this.#poll();
    this.#occupancy.end();
    const rules = Array.from(this.#states.values(), ({ report }) => report);
    return { rules, occupancy: this.#occupancy, broken: this.#broken };
  }

  #add(rule: SimulatedRule): void {
    const report = emptyReport(rule, this.#options.durationOf(rule));
    const state: RuleState = { rule, report, dueAt: null, runs: [], overlapAt: null };
    this.#states.set(rule.id, state);
    this.#guarded(state, () => {
      const since = this.#now - 1;
      const dueAt = rule.dueAfter(new Date(since))?.getTime() ?? null;
      if (dueAt === null) return;
      countNotes(state, rule.notesBetween(since, Math.min(dueAt, this.#options.to - 1)), since);
      this.#setDue(state, dueAt);
    });
  }

  /** What cannot be read is left out, and no other rule for its sake. */
  #guarded<T>(state: RuleState, act: () => T): T | null {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof LinodError)) throw error;
      this.#broken.push({ rule: state.rule.id, name: state.rule.name, error: error.message });
      this.#states.delete(state.rule.id);
      state.dueAt = null;
      return null;
    }
  }

  #setDue(state: RuleState, dueAt: number | null): void {
    state.dueAt = dueAt;
    if (dueAt !== null) this.#due.add(dueAt, state);
  }

  #endRuns(): void {
    for (let run = this.#ends.take(this.#now); run !== undefined; run = this.#ends.take(this.#now)) {
      if (!this.#running.has(run)) continue;
      this.#end(run);
      if (run.isTimeout) run.state.report.timeouts++;
      else this.#wakeFollowers(run.state);
    }
  }

  #end(run: Run): void {
    this.#running.delete(run);
    run.state.runs = run.state.runs.filter((other) => other !== run);
    this.#tellRunning();
  }

  #wakeFollowers({ rule }: RuleState): void {
    for (const id of this.#options.followers.get(rule.id) ?? []) {
      const state = this.#states.get(id);
      // One that is due already has not begun since: it runs after this run, too.
      if (state !== undefined && state.dueAt === null) this.#setDue(state, this.#now);
    }
  }

  /** In the order in which a worker reads them. */
  #takeDue(): void {
    const before = this.#waiting.length;
    for (let state = this.#due.take(this.#now); state !== undefined; state = this.#due.take(this.#now))
      this.#waiting.push(state);
    if (this.#waiting.length > before) this.#waiting.sort(byPriority);
  }

  /** Decides about all that are due, until there is no place or nothing is due that could start. */
  #poll(): void {
    while (this.#waiting.length > 0) {
      const groupWaits = new Map<string, string>();
      const stillWaiting: RuleState[] = [];
      let waitsForPlace = false;
      const cancelled: Array<[RuleState, readonly number[]]> = [];
      for (const state of this.#waiting) {
        if (waitsForPlace) {
          stillWaiting.push(state);
          continue;
        }
        const action = this.#decide(state, groupWaits)?.action;
        if (action?.kind !== 'wait') continue;
        stillWaiting.push(state);
        if (action.for === 'group') groupWaits.set(state.rule.policies.group, action.why);
        if (action.for === 'place') waitsForPlace = true;
        this.#delays.add({ ruleId: state.rule.id, dueAt: state.dueAt, for: action.for, why: action.why });
        cancelled.push([state, action.cancel]);
      }
      // A run that is asked to end makes room for the next poll: first for who asked, if it comes first.
      const hasRoom = cancelled.filter(([state, jobs]) => this.#cancel(state, jobs)).length > 0;
      this.#waiting = stillWaiting;
      this.#delays.polledAt(this.#now, { waitsForPlace, groupWaits });
      this.#occupancy.waiting(this.#now, stillWaiting.length, () => stillWaiting.map(({ rule }) => rule.id));
      const before = stillWaiting.length;
      this.#takeDue();
      // A rule may be due again already, and what was cancelled has made room.
      if (!hasRoom && this.#waiting.length === before) return;
    }
  }

  #decide(state: RuleState, groupWaits: ReadonlyMap<string, string>): Decision | null {
    const { rule, dueAt } = state;
    if (dueAt === null) return null;
    return this.#guarded(state, () => {
      const decision = decide(rule, dueAt, this.#circumstances(state, dueAt, groupWaits));
      this.#carryOut(state, dueAt, decision);
      return decision;
    });
  }

  #circumstances(
    { rule, runs }: RuleState,
    dueAt: number,
    groupWaits: ReadonlyMap<string, string>,
  ): Circumstances {
    const { group } = rule.policies;
    const ofGroup = [...this.#running].filter(({ state }) => state.rule.policies.group === group);
    return {
      now: this.#now,
      running: runs,
      inGroup: group === '' ? 0 : ofGroup.length,
      groupWait: groupWaits.get(group) ?? null,
      hasPlace: this.#running.size < this.#options.places,
      pollingSince: this.#options.from,
      delay: this.#delays.of(rule, dueAt),
    };
  }

  #carryOut(state: RuleState, dueAt: number, { action, at, entries, next }: Decision): void {
    const isOverlap = state.runs.length > 0;
    if (isOverlap && state.overlapAt !== dueAt) {
      state.report.overlaps++;
      state.overlapAt = dueAt;
    }
    if (action.kind === 'wait') return;
    this.#delays.delete(state.rule.id);
    if (action.kind === 'start') this.#start(state, at);
    const isForRun = isOverlap && state.rule.policies.overlap === 'skip';
    const within = entries.filter((entry) => (entry.dueAt ?? 0) < this.#options.to);
    countEntries(state, dueAt, within, isForRun ? 'skipped' : 'dropped');
    this.#setDue(state, next);
  }

  #start(state: RuleState, dueAt: number): void {
    const { rule, report } = state;
    const timeoutMs = rule.policies.timeoutSeconds * 1000;
    const isTimeout = report.durationMs > timeoutMs;
    const run: Run = { jobId: ++this.#lastJob, since: this.#now, state, isTimeout };
    state.runs = [...state.runs, run];
    this.#running.add(run);
    this.#ends.add(this.#now + Math.min(report.durationMs, timeoutMs), run);
    report.runs++;
    report.worstLateMs = Math.max(report.worstLateMs, this.#now - dueAt);
    this.#tellRunning();
  }

  /** @returns whether any of these runs was still going on */
  #cancel(state: RuleState, jobs: readonly number[]): boolean {
    const runs = state.runs.filter(({ jobId }) => jobs.includes(jobId));
    for (const run of runs) this.#end(run);
    state.report.cancelled += runs.length;
    return runs.length > 0;
  }

  #tellRunning(): void {
    const rulesOf = () => Array.from(this.#running, ({ state }) => state.rule.id);
    this.#occupancy.changed(this.#now, this.#running.size, rulesOf);
  }
}

/** What comes when; what comes at the same time comes in any order. */
class Agenda<T> {
  /** The latest first. */
  readonly #items: Array<{ readonly at: number; readonly value: T }> = [];

  /** When the earliest comes; infinity when nothing does. */
  get next(): number {
    return this.#items.at(-1)?.at ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, value: T): void {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle]?.at ?? at) > at) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, { at, value });
  }

  /** Takes the earliest out, if it comes up to an instant. */
  take(upTo: number): T | undefined {
    return this.next > upTo ? undefined : this.#items.pop()?.value;
  }
}

function emptyReport({ id, name }: SimulatedRule, durationMs: number): RuleReport {
  const none = { runs: 0, late: 0, worstLateMs: 0, overlaps: 0, skipped: 0, leftOut: 0 };
  return { rule: id, name, durationMs, ...none, dropped: 0, moved: 0, cancelled: 0, timeouts: 0 };
}

/**
 * Counts what the ledger would be told.
 *
 * @param skipped what a due time counts as that is skipped: for the sake of a run, or since it waited for too long
 */
function countEntries(
  state: RuleState,
  dueAt: number,
  entries: readonly Entry[],
  skipped: 'skipped' | 'dropped',
): void {
  const { report } = state;
  for (const { reason, dueAt: at, times } of entries) {
    if (reason === 'late') report.late++;
    if (reason === 'dropped') report.dropped += times;
    if (reason === 'skipped' && at === dueAt) report[skipped] += times;
  }
  countNotes(state, entries, dueAt);
}

/** Times behind a due time that come to nothing, or are moved. */
function countNotes({ report }: RuleState, entries: readonly Entry[], dueAt: number): void {
  for (const { reason, dueAt: at, times } of entries) {
    if (at === null || at <= dueAt) continue;
    if (reason === 'skipped') report.leftOut += times;
    if (reason === 'moved') report.moved += times;
  }
}

function byPriority(a: RuleState, b: RuleState): number {
  return (
    b.rule.policies.priority - a.rule.policies.priority ||
    (a.dueAt ?? 0) - (b.dueAt ?? 0) ||
    a.rule.seqno - b.rule.seqno
  );
}
