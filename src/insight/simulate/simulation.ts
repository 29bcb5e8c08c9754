// Runs the rules on a virtual clock, with the same decisions as a worker.

import { LinodError } from '../../base/errors.js';
import type { Zone } from '../../recurrence/time/zone.js';
import type { RuleEntry } from '../../rules/ledger.js';
import type { Entry } from '../../rules/ledger-entry.js';
import type { JobRule } from '../../rules/rule.js';
import { Batch, type Decisions } from '../../scheduler/batch.js';
import { Delays } from '../../scheduler/delays.js';
import { Occupancy } from './occupancy.js';
import type { RuleReport } from './report.js';

export interface SimulationOptions {
  /** The active rules. */
  readonly rules: readonly JobRule[];
  /** How long each run of a rule takes, in ms. */
  durationOf(rule: JobRule): number;
  /** By rule number: the rules that become due when a run of it is done. */
  readonly followers: ReadonlyMap<number, readonly number[]>;
  /** Instants in ms since 1970; `to` is excluded. */
  readonly from: number;
  readonly to: number;
  /** How many jobs run side by side, on all workers. */
  readonly slots: number;
  /** The zone for the hours of the day. */
  readonly zone: Zone;
  /** Called at each instant at which something happens. */
  readonly onInstant?: (now: number) => void;
  /** Called with what the ledger would get, and when it is decided. */
  readonly onEntry?: (entry: RuleEntry, now: number) => void;
}

interface Run {
  readonly jobId: number;
  readonly since: number;
  readonly state: RuleState;
  readonly isTimeout: boolean;
}

/** A rule and its current state. */
interface RuleState {
  readonly rule: JobRule;
  readonly report: { -readonly [K in keyof RuleReport]: RuleReport[K] };
  dueAt: number | null;
  /** How many of its runs are going on. */
  running: number;
  /** The last due time at which a run was still going on. */
  overlapAt: number | null;
}

/** The results for the rules and their slots. */
export interface Simulated {
  readonly rules: readonly RuleReport[];
  readonly occupancy: Occupancy;
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly name: string; readonly error: string }>;
}

/**
 * Runs all rules on a virtual clock. Each run takes its rule's duration, at most its timeout. There are no
 * requests and no failures.
 */
export function simulate(options: SimulationOptions): Simulated {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #states = new Map<number, RuleState>();
  readonly #rules: ReadonlyMap<number, JobRule>;
  readonly #due = new EventQueue<RuleState>();
  readonly #ends = new EventQueue<Run>();
  readonly #occupancy: Occupancy;
  readonly #delays = new Delays();
  readonly #broken: Array<{ rule: number; name: string; error: string }> = [];
  readonly #running = new Map<number, Run>();
  /** The rules that are due now, in polling order. */
  #waiting: RuleState[] = [];
  #lastJob = 0;
  #now: number;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#now = options.from;
    this.#occupancy = new Occupancy(options);
    this.#rules = new Map(options.rules.map((rule) => [rule.id, rule]));
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
    // The rules that still wait may have become too late since the last poll.
    this.#now = to - 1;
    this.#poll();
    this.#occupancy.end();
    const rules = Array.from(this.#states.values(), ({ report }) => report);
    return { rules, occupancy: this.#occupancy, broken: this.#broken };
  }

  #add(rule: JobRule): void {
    const none = { runs: 0, late: 0, worstLateMs: 0, overlaps: 0, skipped: 0, notDue: 0, dropped: 0 };
    const { id, name } = rule;
    const durationMs = this.#options.durationOf(rule);
    const report = { rule: id, name, durationMs, ...none, moved: 0, cancelled: 0, timeouts: 0 };
    const state: RuleState = { rule, report, dueAt: null, running: 0, overlapAt: null };
    this.#states.set(id, state);
    const since = this.#now - 1;
    try {
      const dueAt = rule.dueAfter(new Date(since))?.getTime() ?? null;
      if (dueAt === null) return;
      const notes = rule.skippedOrMovedBetween(since, Math.min(dueAt, this.#options.to - 1));
      for (const note of notes) {
        countNote(state, note, since);
        this.#options.onEntry?.({ ...note, ruleId: id }, this.#now);
      }
      this.#setDue(state, dueAt);
    } catch (error) {
      if (!(error instanceof LinodError)) throw error;
      this.#dropBroken(state, error);
    }
  }

  /** Excludes a rule that cannot be read, so that the others are still simulated. */
  #dropBroken(state: RuleState, { message }: Error): void {
    this.#broken.push({ rule: state.rule.id, name: state.rule.name, error: message });
    this.#states.delete(state.rule.id);
  }

  #setDue(state: RuleState, dueAt: number | null): void {
    state.dueAt = dueAt;
    if (dueAt !== null) this.#due.add(dueAt, state);
  }

  #endRuns(): void {
    for (let run = this.#ends.take(this.#now); run !== undefined; run = this.#ends.take(this.#now)) {
      if (!this.#running.has(run.jobId)) continue;
      this.#end(run);
      if (run.isTimeout) run.state.report.timeouts++;
      else this.#wakeFollowers(run.state);
    }
  }

  #end(run: Run): void {
    this.#running.delete(run.jobId);
    run.state.running--;
    this.#countRunning();
  }

  #wakeFollowers({ rule }: RuleState): void {
    for (const id of this.#options.followers.get(rule.id) ?? []) {
      const state = this.#states.get(id);
      // A rule that is due already has not begun, so it runs after this run anyway.
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

  /** Decides about all due rules until no slot is free or none of them can start. */
  #poll(): void {
    while (this.#waiting.length > 0) {
      const decided = this.#decide();
      const settled = new Set([
        ...decided.nextDueTimes.map(({ id }) => id),
        ...decided.broken.map(({ rule }) => rule),
      ]);
      this.#carryOut(decided);
      // A cancelled run frees its slot for the next pass, where the rule that cancelled it may come first.
      const cancelled = [...decided.cancelled].filter((job) => this.#cancel(job));
      this.#waiting = this.#waiting.filter(({ rule }) => !settled.has(rule.id));
      const stillWaiting = this.#waiting.map(({ rule }) => rule.id);
      this.#occupancy.waiting(this.#now, stillWaiting.length, () => stillWaiting);
      this.#takeDue();
      // A rule may be due again already, and a cancelled run has freed a slot.
      if (cancelled.length === 0 && this.#waiting.length === stillWaiting.length) return;
    }
  }

  /** Decides as a worker does in one transaction. */
  #decide(): Decisions {
    const view = {
      freeSlots: this.#options.slots - this.#running.size,
      pollingSince: this.#options.from,
      workerRanAt: () => true,
      groupWaits: new Map<string, string>(),
      abandoned: [],
      delayOf: (rule: JobRule, dueAt: number) => this.#delays.of(rule, dueAt),
    };
    const batch = new Batch(this.#rules, view, this.#now, 'simulation');
    for (const { jobId: id, since, state } of this.#running.values()) {
      const { id: rule_id, policies } = state.rule;
      batch.count({ id, rule_id, start_datetime: since, job_group: policies.group || null });
    }
    for (const state of this.#waiting) {
      if (state.running > 0 && state.overlapAt !== state.dueAt) {
        state.report.overlaps++;
        state.overlapAt = state.dueAt;
      }
      if (!batch.decideDue(state.rule, state.dueAt ?? this.#now)) break;
    }
    return batch.decided;
  }

  #carryOut({ nextDueTimes, broken, starts, entries, waiting }: Decisions): void {
    for (const { rule, error } of broken) {
      const state = this.#states.get(rule);
      if (state !== undefined) this.#dropBroken(state, error);
    }
    for (const entry of entries) {
      const state = this.#states.get(entry.ruleId);
      if (state === undefined || (entry.dueAt ?? 0) >= this.#options.to) continue;
      countEntry(state, entry);
      this.#options.onEntry?.(entry, this.#now);
    }
    for (const { id, next } of nextDueTimes) {
      const state = this.#states.get(id);
      if (state !== undefined) this.#setDue(state, next);
      this.#delays.delete(id);
    }
    for (const { rule_id, due_at } of starts) this.#start(rule_id, due_at ?? this.#now);
    for (const one of waiting) this.#delays.add(one);
    const ofGroups = waiting.filter((one) => one.for === 'group');
    this.#delays.polledAt(this.#now, {
      waitsForSlot: waiting.some((one) => one.for === 'slot'),
      groupWaits: new Map(ofGroups.map(({ group, why }) => [group, why])),
    });
  }

  #start(id: number, dueAt: number): void {
    const state = this.#states.get(id);
    if (state === undefined) return;
    const { rule, report } = state;
    const timeoutMs = rule.policies.timeoutSeconds * 1000;
    const isTimeout = report.durationMs > timeoutMs;
    const run: Run = { jobId: ++this.#lastJob, since: this.#now, state, isTimeout };
    this.#running.set(run.jobId, run);
    this.#ends.add(this.#now + Math.min(report.durationMs, timeoutMs), run);
    state.running++;
    report.runs++;
    report.worstLateMs = Math.max(report.worstLateMs, this.#now - dueAt);
    this.#countRunning();
  }

  /** @returns whether the run was still going on */
  #cancel(job: number): boolean {
    const run = this.#running.get(job);
    if (run === undefined) return false;
    this.#end(run);
    run.state.report.cancelled++;
    return true;
  }

  #countRunning(): void {
    const rulesOf = () => Array.from(this.#running.values(), ({ state }) => state.rule.id);
    this.#occupancy.changed(this.#now, this.#running.size, rulesOf);
  }
}

/** Values ordered by time; those of the same time come in any order. */
class EventQueue<T> {
  /** Sorted by time, the latest first. */
  readonly #items: Array<{ readonly at: number; readonly value: T }> = [];

  /** The earliest time; infinity when the queue is empty. */
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

  /** Removes and returns the earliest value, if its time is not later than `upTo`. */
  take(upTo: number): T | undefined {
    return this.next > upTo ? undefined : this.#items.pop()?.value;
  }
}

/** Counts an entry that the ledger would have about a due rule. */
function countEntry(state: RuleState, entry: Entry): void {
  const { report, rule, dueAt, running } = state;
  const { reason, times } = entry;
  if (reason === 'late') report.late++;
  if (reason === 'dropped') report.dropped += times;
  if (reason === 'skipped' && entry.dueAt === dueAt) {
    // Skipped because of a run, or because it waited too long.
    const isForRun = running > 0 && rule.policies.overlap === 'skip';
    report[isForRun ? 'skipped' : 'dropped'] += times;
  }
  countNote(state, entry, dueAt ?? 0);
}

/** Counts a time later than the due time that is not due, or is moved. */
function countNote({ report }: RuleState, { reason, dueAt: at, times }: Entry, dueAt: number): void {
  if (at === null || at <= dueAt) return;
  if (reason === 'skipped') report.notDue += times;
  if (reason === 'moved') report.moved += times;
}

function byPriority(a: RuleState, b: RuleState): number {
  return (
    b.rule.policies.priority - a.rule.policies.priority ||
    (a.dueAt ?? 0) - (b.dueAt ?? 0) ||
    a.rule.seqno - b.rule.seqno
  );
}
