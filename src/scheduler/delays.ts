// Remembers what kept rules from starting when they were due, so that the ledger can say why they are late.

import { lateAfterMs } from '../rules/ledger-entry.js';
import type { JobRule } from '../rules/rule.js';
import type { Waiting } from './batch.js';
import type { ClockStep } from './clock-steps.js';
import { allSlotsTaken, type Delay } from './decide.js';

/** Maximum of remembered rules. */
const maxRules = 10_000;

export class Delays {
  readonly #byRule = new Map<number, { readonly dueAt: number; readonly delay: Delay }>();
  /** By group: the last poll in which a rule waited for it, in ms since 1970, and why. */
  readonly #groups = new Map<string, { readonly until: number; readonly why: string }>();
  #fullUntil = Number.NEGATIVE_INFINITY;
  #awayUntil = Number.NEGATIVE_INFINITY;
  /** The last time that a claim waited long for a database lock, in ms since 1970. */
  #locked = { from: 0, until: Number.NEGATIVE_INFINITY };
  #step: ClockStep | null = null;

  /** Records that a rule waits. */
  add({ ruleId, dueAt, for: what, why }: Pick<Waiting, 'ruleId' | 'dueAt' | 'for' | 'why'>): void {
    if (dueAt === null) return;
    if (this.#byRule.size >= maxRules) this.#byRule.clear();
    this.#byRule.set(ruleId, { dueAt, delay: { for: what, why } });
  }

  delete(ruleId: number): void {
    this.#byRule.delete(ruleId);
  }

  /** Records a poll. Rules that the poll did not read may also wait for the same slot or group. */
  polledAt(
    now: number,
    poll: { readonly waitsForSlot: boolean; readonly groupWaits: ReadonlyMap<string, string> },
  ): void {
    const { waitsForSlot, groupWaits } = poll;
    if (waitsForSlot) this.#fullUntil = now;
    for (const [group, why] of groupWaits) this.#groups.set(group, { until: now, why });
  }

  /** Records that the database was away until now. */
  wasAway(now: number): void {
    this.#awayUntil = now;
  }

  /** Records that a claim waited long for a database lock, until now. */
  wasLocked(from: number, now: number): void {
    this.#locked = { from, until: now };
  }

  /** Records that the clock was set forward, past times that rules were due at. */
  wasSetForward(step: ClockStep): void {
    this.#step = step;
  }

  /** Records that the clock was set back to `now`, and forgets delays at later times. */
  wasSetBack(now: number): void {
    this.#step = null;
    this.#groups.clear();
    this.#fullUntil = Math.min(this.#fullUntil, now);
    this.#awayUntil = Math.min(this.#awayUntil, now);
    this.#locked.until = Math.min(this.#locked.until, now);
  }

  /** What kept a rule from starting since it was due, if known. */
  of(rule: Pick<JobRule, 'id' | 'policies'>, dueAt: number): Delay | null {
    const own = this.#byRule.get(rule.id);
    if (own !== undefined && own.dueAt === dueAt) return own.delay;
    if (this.#step !== null && dueAt > this.#step.from && dueAt <= this.#step.to) {
      return { for: 'outage', why: this.#step.why };
    }
    const group = this.#groups.get(rule.policies.group);
    if (group !== undefined && dueAt <= group.until) return { for: 'group', why: group.why };
    if (dueAt <= this.#fullUntil) return { for: 'slot', why: allSlotsTaken };
    if (dueAt <= this.#awayUntil) return { for: 'outage', why: 'the database was away' };
    const { from, until } = this.#locked;
    if (dueAt >= from - lateAfterMs && dueAt <= until)
      return { for: 'outage', why: 'the database was locked' };
    return null;
  }
}
