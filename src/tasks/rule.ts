// A job rule as the program sees it: the row, with what the person overrode and what the procedure suggests.

import { localTime, wallTime } from '../local-time.js';
import type { LevelName } from '../log/levels.js';
import { type Policies, type PolicyName, policies, policyNames, withDefaults } from '../policies.js';
import type { Suggestion } from '../procedure.js';
import { completeStart, type MissingTime, Recurrence, type RepeatedTime, shortForm } from '../recurrence.js';
import type { JobRuleRow } from '../store/schema.js';

/** What a person overrode; null where the procedure's suggestion counts. */
export type Overrides = { readonly [K in keyof Suggestion]: Suggestion[K] | null };

/** When to run a procedure, and what to do with its runs. */
export class JobRule {
  readonly id: number;
  readonly seqno: number;
  readonly name: string;
  /** The procedure's name; see `Procedures.get`. */
  readonly procedure: string;
  readonly suggestion: Suggestion;
  readonly overrides: Overrides;
  readonly cancelledAt: Date | null;
  readonly cancelledBy: 'failure' | 'person' | null;
  readonly cancelledReason: string | null;
  /** When the procedure was found to be gone. */
  readonly removedAt: Date | null;
  readonly nextDueAt: Date | null;
  readonly createdAt: Date;
  /** How many runs in a row have failed, each with all its attempts. */
  readonly failuresInRow: number;
  /** Grows with each change of the rule, whoever makes it. */
  readonly revision: number;
  readonly #row: JobRuleRow;
  readonly #siteTimezone: string;
  #recurrence: Recurrence | undefined;
  #policies: Policies | undefined;

  /** @param like the same rule as it was read before: what did not change is taken from there */
  constructor(row: JobRuleRow, siteTimezone: string, like?: JobRule) {
    const isLike = like !== undefined && like.#siteTimezone === siteTimezone && isSameRule(like.#row, row);
    this.#row = row;
    this.id = row.id;
    this.seqno = row.seqno;
    this.name = row.name;
    this.procedure = row.procedure;
    this.suggestion = isLike ? like.suggestion : parseSuggestion(row.suggestion);
    this.overrides = isLike ? like.overrides : overridesOf(row);
    this.cancelledAt = toDate(row.cancelled_at);
    this.cancelledBy = row.cancelled_by as JobRule['cancelledBy'];
    this.cancelledReason = row.cancelled_reason;
    this.removedAt = toDate(row.removed_at);
    this.nextDueAt = toDate(row.next_due_at);
    this.createdAt = new Date(row.created_at);
    this.failuresInRow = row.failures_in_row;
    this.revision = row.revision;
    this.#siteTimezone = siteTimezone;
    if (!isLike) return;
    this.#recurrence = like.#recurrence;
    this.#policies = like.#policies;
  }

  get cancelled(): boolean {
    return this.cancelledAt !== null;
  }

  /** Whether it ever comes due: neither cancelled nor left without its procedure. */
  get active(): boolean {
    return this.cancelledAt === null && this.removedAt === null;
  }

  /** The override where there is one, else the suggestion. */
  effective<K extends keyof Suggestion>(field: K): Suggestion[K] {
    return this.overrides[field] ?? this.suggestion[field];
  }

  get every(): number {
    return this.#ofKind('every', 1);
  }

  get everyUnit(): Suggestion['everyUnit'] {
    return this.effective('everyUnit');
  }

  get timezone(): string {
    return this.effective('timezone') ?? this.#siteTimezone;
  }

  get logLevel(): LevelName {
    return this.effective('logLevel');
  }

  /** How its runs are dealt with. */
  get policies(): Policies {
    this.#policies ??= Object.fromEntries(
      policyNames.map((name) => [name, this.effective(name)]),
    ) as unknown as Policies;
    return this.#policies;
  }

  /** Wall time after which it is not due any more; null for none. */
  get until(): string | null {
    return this.effective('until') || null;
  }

  /** How often it is due at all; null for no end. */
  get count(): number | null {
    return this.effective('count') || null;
  }

  /** Wall time that the recurrence is anchored at, in the rule's zone. */
  get start(): string {
    const start = this.effective('startDatetime');
    const created = wallTime(this.createdAt, this.timezone).slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
    if (start === null) return created;
    const isOwn = this.overrides.startDatetime !== null || this.#isSuggestedKind;
    return completeStart(isOwn ? start : start.replace(/^.*T/, 'T'), created);
  }

  /** The cron expression where it decides; null otherwise. */
  get cron(): string | null {
    return this.everyUnit === 'cron' ? this.effective('cron') : null;
  }

  get weekdays(): Suggestion['weekdays'] {
    return this.#ofKind('weekdays', []);
  }

  get positions(): Suggestion['positions'] {
    return this.#ofKind('positions', []);
  }

  /** @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`), NotationError (`LINOD_ERR_NOTATION`) */
  get recurrence(): Recurrence {
    this.#recurrence ??= Recurrence.from({
      every: this.every,
      everyUnit: this.everyUnit,
      weekdays: this.weekdays,
      positions: this.positions,
      cron: this.cron,
      start: this.start,
      timezone: this.timezone,
      until: this.until,
      count: this.count,
      missingTime: this.effective('missingTime') ?? undefined,
      repeatedTime: this.effective('repeatedTime') ?? undefined,
    });
    return this.#recurrence;
  }

  /** The first time after an instant at which it is due, if there is one; null for a rule that is not active. */
  dueAfter(instant: Date): Date | null {
    return this.active ? this.recurrence.nextAfter(instant) : null;
  }

  /** How often, in the original's short form: `every 1 daily`; `cron 0 4 * * *`. */
  get short(): string {
    return shortForm(this);
  }

  /**
   * A field that has no meaning for a cron expression or for Easter: where one of these overrides the suggestion, or
   * is overridden, what was suggested for the other does not count.
   */
  #ofKind<K extends 'every' | 'weekdays' | 'positions'>(field: K, none: Suggestion[K]): Suggestion[K] {
    return this.#isSuggestedKind ? this.effective(field) : (this.overrides[field] ?? none);
  }

  get #isSuggestedKind(): boolean {
    return kindOf(this.everyUnit) === kindOf(this.suggestion.everyUnit);
  }

  /** `Job rule #3 <Procedures.checkdata every 1 daily>`, as in the original. */
  toString(): string {
    return `Job rule #${this.id} <Procedures.${this.procedure} ${this.short}>`;
  }

  /** An instant as people read it: ISO 8601 in the rule's zone, `2026-11-25T20:00:00+02:00`. */
  localTime(instant: Date): string {
    return localTime(instant, this.timezone);
  }
}

function kindOf(unit: Suggestion['everyUnit']): string {
  return unit === 'cron' || unit === 'easterly' ? unit : 'period';
}

/** A suggestion that an older version wrote has not all fields. */
function parseSuggestion(text: string): Suggestion {
  const known = { cron: null, missingTime: null, repeatedTime: null };
  const suggestion = JSON.parse(text) as Suggestion;
  return { ...known, ...suggestion, ...withDefaults(suggestion) };
}

/** What changes without that the rule becomes another one. */
const volatile: ReadonlySet<string> = new Set(['next_due_at', 'failures_in_row']);

function isSameRule(a: JobRuleRow, b: JobRuleRow): boolean {
  const names = Object.keys(b) as Array<keyof JobRuleRow>;
  return names.every((name) => a[name] === b[name] || volatile.has(name));
}

function overridesOf(row: JobRuleRow): Overrides {
  return {
    every: row.every,
    everyUnit: row.every_unit as Suggestion['everyUnit'] | null,
    weekdays: fromJson<Suggestion['weekdays']>(row.weekdays),
    positions: fromJson<Suggestion['positions']>(row.positions),
    cron: row.cron,
    startDatetime: row.start_datetime,
    timezone: row.timezone,
    until: row.until,
    count: row.count,
    missingTime: row.missing_time as MissingTime | null,
    repeatedTime: row.repeated_time as RepeatedTime | null,
    logLevel: row.log_level as LevelName | null,
    ...overriddenPolicies(row),
  };
}

/** What the row has of a policy; a list is JSON. */
function overriddenPolicies(row: JobRuleRow): { [K in PolicyName]: Policies[K] | null } {
  const columns = row as unknown as Readonly<Record<string, unknown>>;
  const read = (name: PolicyName): unknown => {
    const value = columns[policies[name].column] ?? null;
    return policies[name].kind === 'list' && typeof value === 'string' ? JSON.parse(value) : value;
  };
  return Object.fromEntries(policyNames.map((name) => [name, read(name)])) as {
    [K in PolicyName]: Policies[K] | null;
  };
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function fromJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
