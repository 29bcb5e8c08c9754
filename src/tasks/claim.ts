// One transaction of claims, as far as it has come: what is known of the rules and their runs, and what was decided.

import type { Clock } from '../clock.js';
import type { View, Waiting } from './claims.js';
import type { Running } from './decide.js';
import type { LockedRule, LockedRules } from './known-rules.js';
import type { RuleEntry } from './ledger.js';
import type { JobRequest } from './requests.js';
import type { JobRule } from './rule.js';

/** A run that was decided upon. */
export interface Start {
  readonly key: string;
  readonly rule: JobRule;
  readonly user: string | null;
  readonly row: {
    readonly rule_id: number;
    readonly procedure: string;
    readonly due_at: number | null;
    readonly request_id: number | null;
    readonly attempt: number;
    readonly args: string | null;
    readonly checkpoint: string | null;
    readonly run_in: string;
    readonly job_group: string | null;
    readonly start_datetime: number;
  };
}

/** One transaction of claims, as far as it has come. */
export class Claim {
  readonly view: View;
  readonly now: number;
  readonly starts: Start[] = [];
  readonly entries: RuleEntry[] = [];
  readonly waiting: Waiting[] = [];
  readonly cancelled = new Set<number>();
  readonly broken: Array<{ rule: number; error: Error }> = [];
  readonly #rules: LockedRules;
  readonly #running = new Map<number, Running[]>();
  readonly #inGroup = new Map<string, number>();
  readonly #groupWaits = new Map<string, string>();

  constructor(view: View, { now }: Pick<Clock, 'now'>, rules: LockedRules) {
    this.view = view;
    this.now = now();
    this.#rules = rules;
    for (const run of view.left) this.#add(run.ruleId, run);
  }

  locked(id: number): LockedRule | undefined {
    return this.#rules.get(id);
  }

  groups(): string[] {
    const names = Array.from(this.#rules.values(), ({ rule }) => rule.policies.group);
    return [...new Set(names)].filter((name) => name !== '');
  }

  /** The rules of which no two runs may go on side by side. */
  lonely(): number[] {
    const ids: number[] = [];
    for (const [id, { rule }] of this.#rules) if (rule.policies.overlap !== 'allow') ids.push(id);
    return ids;
  }

  /** Takes a run that goes on into account. */
  count(run: { id: number; rule_id: number; start_datetime: number; job_group: string | null }): void {
    if (run.job_group !== null) this.#inGroup.set(run.job_group, (this.#inGroup.get(run.job_group) ?? 0) + 1);
    // One that was given up here, and stands in the database as well.
    if (this.view.left.some(({ jobId }) => jobId === run.id)) return;
    this.#add(run.rule_id, { jobId: run.id, since: run.start_datetime });
  }

  #add(ruleId: number, run: Running): void {
    const runs = this.#running.get(ruleId);
    if (runs === undefined) this.#running.set(ruleId, [run]);
    else runs.push(run);
  }

  running(ruleId: number): readonly Running[] {
    return this.#running.get(ruleId) ?? [];
  }

  inGroup(group: string): number {
    return group === '' ? 0 : (this.#inGroup.get(group) ?? 0);
  }

  /** What a rule of the group waits for that was decided upon before. */
  groupWait(group: string): string | null {
    return this.#groupWaits.get(group) ?? null;
  }

  get hasPlace(): boolean {
    return this.starts.length < this.view.freePlaces;
  }

  start(rule: JobRule, cause: { dueAt?: number; request?: JobRequest }): void {
    const { dueAt = null, request = null } = cause;
    const { group, runIn } = rule.policies;
    const row = {
      rule_id: rule.id,
      procedure: rule.procedure,
      due_at: dueAt,
      request_id: request?.id ?? null,
      attempt: request?.attempt ?? 1,
      args: request?.args ?? null,
      checkpoint: request?.checkpoint ?? null,
      run_in: runIn,
      job_group: group === '' ? null : group,
      start_datetime: Math.max(this.now, dueAt ?? this.now),
    };
    this.starts.push({ key: keyOf(row), rule, user: request?.requestedBy ?? null, row });
    // Its number is not known yet; it counts for what else is decided here.
    this.count({
      id: -this.starts.length,
      rule_id: rule.id,
      start_datetime: row.start_datetime,
      job_group: row.job_group,
    });
  }

  wait(
    rule: JobRule,
    what: Waiting['for'],
    hindrance: string,
    { dueAt = null, cancel = [] }: { dueAt?: number | null; cancel?: readonly number[] } = {},
  ): null {
    const group = what === 'group' ? rule.policies.group : '';
    if (what === 'group') this.#groupWaits.set(group, hindrance);
    this.waiting.push({ ruleId: rule.id, dueAt, for: what, group, hindrance });
    // One that begins in this transaction has no number yet, and is asked at the next look.
    for (const job of cancel) if (job > 0) this.cancelled.add(job);
    return null;
  }

  /** What was told of a start is not so: the job is another worker's. */
  retell(start: Start, detail: string): void {
    const { rule_id: ruleId, due_at: dueAt } = start.row;
    const i = this.entries.findIndex(
      (entry) => entry.ruleId === ruleId && entry.dueAt === dueAt && entry.times === 1,
    );
    const entry = { ruleId, dueAt, dueUntil: null, times: 1, reason: 'taken', detail } as const;
    if (i >= 0) this.entries[i] = entry;
  }
}

/** What a start and its row have in common before the row has a number. */
export function keyOf({
  rule_id,
  due_at,
  request_id,
}: {
  rule_id: number;
  due_at: number | null;
  request_id: number | null;
}): string {
  return request_id === null ? `${rule_id} at ${due_at}` : `request ${request_id}`;
}
