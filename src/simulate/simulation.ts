// The rules on a virtual clock: what would run when, decided upon by the code that decides in a worker.

import { LinodError } from '../errors.js';
import type { Zone } from '../recurrence/zone.js';
import { type Circumstances, type Decision, decide, type Entry, type Running } from '../tasks/decide.js';
import { Delays } from '../tasks/delays.js';
import type { JobRule } from '../tasks/rule.js';
import { Agenda } from './agenda.js';
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
  readonly endsAt: number;
  readonly isTimeout: boolean;
  hasEnded: boolean;
}

/** A rule as far as it has come. */
interface RuleState {
  readonly rule: SimulatedRule;
  readonly durationMs: number;
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
  readonly #inGroup = new Map<string, number>();
  readonly #broken: Array<{ rule: number; name: string; error: string }> = [];
  /** Those that are due now, in the order in which they are looked at. */
  #waiting: RuleState[] = [];
  #running = new Set<Run>();
  #lastJob = 0;
  #now: number;

  constructor(options: SimulationOptions) {
    const { from, to, places, zone } = options;
    this.#options = options;
    this.#now = from;
    this.#occupancy = new Occupancy(from, to, places, zone);
    for (const rule of options.rules) this.#add(rule);
  }

  run(): Simulated {
    const { to, onInstant } = this.#options;
    for (;;) {
      const next = Math.min(this.#due.next, this.#ends.next);
      if (next >= to) break;
      this.#now = next;
      onInstant?.(next);
      this.#endRuns();
      this.#takeDue();
      this.#look();
    }
    // What waits then may have become too late since the last look.
    this.#now = to - 1;
    this.#look();
    this.#occupancy.end();
    return {
      rules: Array.from(this.#states.values(), ({ report }) => report),
      occupancy: this.#occupancy,
      broken: this.#broken,
    };
  }

  #add(rule: SimulatedRule): void {
    const durationMs = this.#options.durationOf(rule);
    const state: RuleState = {
      rule,
      durationMs,
      report: emptyReport(rule, durationMs),
      dueAt: null,
      runs: [],
      overlapAt: null,
    };
    this.#guarded(state, () => {
      const dueAt = rule.dueAfter(new Date(this.#now - 1))?.getTime() ?? null;
      this.#states.set(rule.id, state);
      if (dueAt === null) return;
      const since = this.#now - 1;
      countNotes(state, rule.notesBetween(since, Math.min(dueAt, this.#options.to - 1)), since);
      this.#setDue(state, dueAt);
    });
  }

  /** What cannot be read is left out, and no other rule for its sake. */
  #guarded(state: RuleState, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof LinodError)) throw error;
      this.#broken.push({ rule: state.rule.id, name: state.rule.name, error: error.message });
      this.#states.delete(state.rule.id);
      state.dueAt = null;
    }
  }

  #setDue(state: RuleState, dueAt: number | null): void {
    state.dueAt = dueAt;
    if (dueAt !== null) this.#due.add(dueAt, state);
  }

  #endRuns(): void {
    for (let run = this.#ends.take(this.#now); run !== undefined; run = this.#ends.take(this.#now)) {
      if (run.hasEnded) continue;
      this.#end(run);
      if (run.isTimeout) run.state.report.timeouts++;
      else this.#wakeFollowers(run.state);
    }
  }

  #end(run: Run): void {
    const { state } = run;
    run.hasEnded = true;
    this.#running.delete(run);
    state.runs = state.runs.filter((other) => other !== run);
    this.#countInGroup(state, -1);
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
    let isSorted = true;
    for (let state = this.#due.take(this.#now); state !== undefined; state = this.#due.take(this.#now)) {
      this.#waiting.push(state);
      isSorted = false;
    }
    if (!isSorted && this.#waiting.length > 1) this.#waiting.sort(byPriority);
  }

  /** Decides about all that are due, until there is no place or nothing is due that could start. */
  #look(): void {
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
        const decision = this.#decide(state, groupWaits);
        if (decision === null) continue;
        const { action } = decision;
        if (action.kind !== 'wait') continue;
        stillWaiting.push(state);
        const { group } = state.rule.policies;
        if (action.for === 'group') groupWaits.set(group, action.why);
        if (action.for === 'place') waitsForPlace = true;
        this.#delays.add({
          ruleId: state.rule.id,
          dueAt: state.dueAt,
          for: action.for,
          why: action.why,
        });
        cancelled.push([state, action.cancel]);
      }
      // A run that is asked to end makes room for the next look: first for who asked, if it comes first.
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
    let decision: Decision | null = null;
    this.#guarded(state, () => {
      decision = this.#carryOut(
        state,
        dueAt,
        decide(rule, dueAt, this.#circumstances(state, dueAt, groupWaits)),
      );
    });
    return decision;
  }

  #circumstances(
    { rule, runs }: RuleState,
    dueAt: number,
    groupWaits: ReadonlyMap<string, string>,
  ): Circumstances {
    return {
      now: this.#now,
      running: runs,
      inGroup: this.#inGroup.get(rule.policies.group) ?? 0,
      groupWait: groupWaits.get(rule.policies.group) ?? null,
      hasPlace: this.#running.size < this.#options.places,
      pollingSince: this.#options.from,
      delay: this.#delays.of(rule, dueAt),
    };
  }

  #carryOut(state: RuleState, dueAt: number, decision: Decision): Decision {
    const { report } = state;
    const isOverlap = state.runs.length > 0;
    if (isOverlap && state.overlapAt !== dueAt) {
      report.overlaps++;
      state.overlapAt = dueAt;
    }
    if (decision.action.kind === 'wait') return decision;
    this.#delays.delete(state.rule.id);
    if (decision.action.kind === 'start') this.#start(state, decision.at);
    const isForRun = isOverlap && state.rule.policies.overlap === 'skip';
    const within = decision.entries.filter((entry) => (entry.dueAt ?? 0) < this.#options.to);
    countEntries(state, dueAt, within, isForRun ? 'skipped' : 'dropped');
    this.#setDue(state, decision.next);
    return decision;
  }

  #start(state: RuleState, dueAt: number): void {
    const { rule, durationMs, report } = state;
    const timeoutMs = rule.policies.timeoutSeconds * 1000;
    const endsAt = this.#now + Math.min(durationMs, timeoutMs);
    const isTimeout = durationMs > timeoutMs;
    const run: Run = {
      jobId: ++this.#lastJob,
      since: this.#now,
      state,
      endsAt,
      isTimeout,
      hasEnded: false,
    };
    state.runs = [...state.runs, run];
    this.#running.add(run);
    this.#ends.add(endsAt, run);
    this.#countInGroup(state, 1);
    report.runs++;
    report.worstLateMs = Math.max(report.worstLateMs, this.#now - dueAt);
    this.#tellRunning();
  }

  /** @returns whether any of these runs was still going on */
  #cancel(state: RuleState, jobs: readonly number[]): boolean {
    const runs = state.runs.filter(({ jobId }) => jobs.includes(jobId));
    for (const run of runs) {
      this.#end(run);
      state.report.cancelled++;
    }
    return runs.length > 0;
  }

  #countInGroup({ rule }: RuleState, by: number): void {
    const { group } = rule.policies;
    if (group !== '') this.#inGroup.set(group, (this.#inGroup.get(group) ?? 0) + by);
  }

  #tellRunning(): void {
    const rulesOf = () => Array.from(this.#running, ({ state }) => state.rule.id);
    this.#occupancy.changed(this.#now, this.#running.size, rulesOf);
  }
}

function emptyReport(rule: SimulatedRule, durationMs: number): RuleReport {
  return {
    rule: rule.id,
    name: rule.name,
    durationMs,
    runs: 0,
    late: 0,
    worstLateMs: 0,
    overlaps: 0,
    skipped: 0,
    leftOut: 0,
    dropped: 0,
    moved: 0,
    cancelled: 0,
    timeouts: 0,
  };
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
