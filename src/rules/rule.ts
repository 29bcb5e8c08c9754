// A job rule as the program sees it: the row, with what the person overrode and what the procedure suggests.

import { LinodError } from '../base/errors.js';
import type { LevelName } from '../base/log-levels.js';
import {
  completeStart,
  countedFrom,
  isOpenStart,
  Recurrence,
  type RecurrenceFields,
  readingStartDatetime,
  shortForm,
} from '../recurrence/recurrence.js';
import { localTime, wallTime } from '../recurrence/time/local-time.js';
import { Zone } from '../recurrence/time/zone.js';
import { StoreUnavailableError } from '../store/errors.js';
import { NewerDatabaseError } from '../store/migrate.js';
import type { JobRuleRow } from '../store/schema.js';
import { DueTimes } from './due-times.js';
import type { Entry } from './ledger-entry.js';
import { type Policies, withDefaults } from './policies.js';
import type { Suggestion } from './procedure.js';
import { fromJson, noOverrides, type Overrides, type RuleField, readOverrides } from './rule-fields.js';

/** What somebody wrote into the database cannot be a rule. Its next set-up tries it again. */
export class InvalidRuleError extends LinodError {
  readonly rule: number;

  constructor(rule: number, problems: readonly string[]) {
    super('LINOD_ERR_INVALID_RULE', problems.join('; '));
    this.rule = rule;
  }
}

/** Whether it is what is written in a rule that cannot be, and neither the program's fault nor the database's. */
export function isFaultOfRule(error: unknown): error is LinodError {
  const isOfDatabase = error instanceof StoreUnavailableError || error instanceof NewerDatabaseError;
  return error instanceof LinodError && !isOfDatabase;
}

/** What a field of a rule is, and where that comes from. */
export interface FieldValues<K extends RuleField> {
  readonly suggestion: Suggestion[K];
  /** Null where the suggestion counts. */
  readonly override: Suggestion[K] | null;
  readonly effective: Suggestion[K];
}

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
  /** How many of its next runs log at DEBUG. */
  readonly debugRuns: number;
  /** Grows with each change of the rule, whoever makes it. */
  readonly revision: number;
  readonly #fields: Fields;
  readonly #siteTimezone: string;
  #recurrence: Recurrence | undefined;
  #dueTimes: DueTimes | undefined;

  /** @param before as it was read before: where nothing has changed, its fields are read and its recurrence is made once */
  constructor(row: JobRuleRow, siteTimezone: string, before?: JobRule) {
    this.id = row.id;
    this.seqno = row.seqno;
    this.name = row.name;
    this.procedure = row.procedure;
    const isUnchanged = before?.revision === row.revision;
    this.#fields = isUnchanged ? before.#fields : fieldsOf(row);
    this.suggestion = this.#fields.suggestion;
    this.overrides = this.#fields.overrides;
    this.cancelledAt = toDate(row.cancelled_at);
    this.cancelledBy = row.cancelled_by as JobRule['cancelledBy'];
    this.cancelledReason = row.cancelled_reason;
    this.removedAt = toDate(row.removed_at);
    this.nextDueAt = toDate(row.next_due_at);
    this.createdAt = toDate(row.created_at);
    this.failuresInRow = row.failures_in_row;
    this.debugRuns = row.debug_runs;
    this.revision = row.revision;
    this.#siteTimezone = siteTimezone;
    if (isUnchanged) {
      this.#recurrence = before.#recurrence;
      this.#dueTimes = before.#dueTimes;
    }
  }

  get cancelled(): boolean {
    return this.cancelledAt !== null;
  }

  /** Whether it ever comes due: neither cancelled nor left without its procedure. */
  get active(): boolean {
    return this.cancelledAt === null && this.removedAt === null;
  }

  /** The override where there is one, else the suggestion, as far as it fits the unit. */
  effective<K extends keyof Suggestion>(field: K): Suggestion[K] {
    return this.#fields.effective[field];
  }

  /** A field as the procedure suggests it, as a person overrode it, and as it counts. */
  field<K extends RuleField>(name: K): FieldValues<K> {
    const { suggestion, overrides } = this;
    return { suggestion: suggestion[name], override: overrides[name], effective: this.effective(name) };
  }

  get every(): number {
    return this.effective('every');
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

  /** How its runs are dealt with. Has the other fields, too: it is read by name. */
  get policies(): Policies {
    return this.#fields.effective;
  }

  /** Wall time after which it is not due any more; null for none. */
  get until(): string | null {
    return this.effective('until') || null;
  }

  /** How often it is due at all; null for no end. */
  get count(): number | null {
    return this.effective('count') || null;
  }

  /**
   * Wall time that the recurrence is anchored at, in the rule's zone. Where a `count` makes it begin later, its
   * `recurrence` has that.
   */
  get start(): string {
    const start = this.effective('startDatetime');
    const created = wallTime(this.createdAt, this.#shownTimezone).slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
    if (start === null) return created;
    const isOwn = this.overrides.startDatetime !== null || this.#fields.isSuggestedKind;
    return completeStart(isOwn ? start : start.replace(/^.*T/, 'T'), created);
  }

  /** The cron expression where it decides; null otherwise. */
  get cron(): string | null {
    return this.everyUnit === 'cron' ? this.effective('cron') : null;
  }

  get weekdays(): Suggestion['weekdays'] {
    return this.effective('weekdays');
  }

  get positions(): Suggestion['positions'] {
    return this.effective('positions');
  }

  /**
   * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`), NotationError (`LINOD_ERR_NOTATION`),
   *   InvalidRuleError (`LINOD_ERR_INVALID_RULE`)
   */
  get recurrence(): Recurrence {
    const { problems } = this.#fields;
    if (problems.length > 0) throw new InvalidRuleError(this.id, problems);
    this.#recurrence ??= readingStartDatetime(this.effective('startDatetime'), () =>
      Recurrence.from(this.#recurrenceFields),
    );
    return this.#recurrence;
  }

  get #recurrenceFields(): RecurrenceFields {
    const fields = {
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
    };
    const isOpen = isOpenStart(this.effective('startDatetime') ?? 'T00:00:00');
    // What had passed when the rule was made is not to count.
    return isOpen ? countedFrom(fields, this.createdAt.getTime()) : fields;
  }

  /** When it is due: its recurrence, what is excluded from that, and jitter. @throws as {@link recurrence} */
  get dueTimes(): DueTimes {
    this.#dueTimes ??= new DueTimes({
      recurrence: this.recurrence,
      policies: this.policies,
      seed: this.id,
    });
    return this.#dueTimes;
  }

  /**
   * The first time after an instant at which it is due, if there is one; null for a rule that is not active, or that is
   * due when a run of another one is done.
   */
  dueAfter(instant: Date): Date | null {
    return this.active && this.policies.runAfter === '' ? this.dueTimes.nextAfter(instant) : null;
  }

  /** Whether it would be due after an instant, were it not for what is excluded. */
  isExcludedAfter(instant: Date): boolean {
    const { excluded, runAfter } = this.policies;
    if (!this.active || runAfter !== '' || excluded.length === 0 || this.#fields.problems.length > 0)
      return false;
    return this.recurrence.nextAfter(instant) !== null && this.dueTimes.nextAfter(instant) === null;
  }

  /** The ledger entries of the times between two due times, in ms since 1970; see {@link DueTimes.skippedOrMovedBetween}. */
  skippedOrMovedBetween(from: number, to: number): Entry[] {
    return this.policies.runAfter === '' ? this.dueTimes.skippedOrMovedBetween(from, to) : [];
  }

  /** By how much jitter has moved a due time, in ms. */
  jitterOf(dueAt: number): number {
    return this.policies.runAfter === '' ? this.dueTimes.jitterOf(dueAt) : 0;
  }

  /** How often, in the original's short form: `every 1 daily`; `cron 0 4 * * *`. */
  get short(): string {
    return shortForm(this);
  }

  /** `Job rule #3 <Procedures.checkdata every 1 daily>`, as in the original. */
  toString(): string {
    return `Job rule #${this.id} <Procedures.${this.procedure} ${this.short}>`;
  }

  /** An instant as people read it: ISO 8601 in the rule's zone, `2026-11-25T20:00:00+02:00`. */
  localTime(instant: Date): string {
    return localTime(instant, this.#shownTimezone);
  }

  /** A rule of which somebody has written a wrong zone into the database has to be shown all the same. */
  get #shownTimezone(): string {
    return Zone.named(this.timezone) === undefined ? this.#siteTimezone : this.timezone;
  }
}

function kindOf(unit: Suggestion['everyUnit']): string {
  return unit === 'cron' || unit === 'easterly' ? unit : 'period';
}

/** What the row says of when and how to run, as long as its revision stays. */
interface Fields {
  readonly suggestion: Suggestion;
  readonly overrides: Overrides;
  readonly effective: Suggestion;
  /** Whether the unit is of the kind that is suggested. */
  readonly isSuggestedKind: boolean;
  /** What is wrong with the row. */
  readonly problems: readonly string[];
}

function fieldsOf(row: JobRuleRow): Fields {
  const problems: string[] = [];
  const suggestion = parseSuggestion(row.suggestion, problems);
  const overrides = readOverrides(row, problems);
  const everyUnit = overrides.everyUnit ?? suggestion.everyUnit;
  const isSuggestedKind = kindOf(everyUnit) === kindOf(suggestion.everyUnit);
  // These have no meaning for a cron expression or for Easter, so what was suggested for another kind does not count.
  const fitting = isSuggestedKind ? suggestion : { ...suggestion, every: 1, weekdays: [], positions: [] };
  const effective = { ...fitting, ...overrides };
  return { suggestion, overrides: { ...noOverrides, ...overrides }, effective, isSuggestedKind, problems };
}

/** A suggestion that an older version wrote has not all fields. */
function parseSuggestion(text: string, problems: string[]): Suggestion {
  const read = fromJson(text);
  const isObject = typeof read === 'object' && read !== null && !Array.isArray(read);
  if (!isObject) problems.push(`expected suggestion to be an object as JSON, got: ${JSON.stringify(text)}`);
  const suggestion = (isObject ? read : {}) as Partial<Suggestion>;
  return { ...usualSuggestion, ...suggestion, ...withDefaults(suggestion) };
}

const usualSuggestion: Omit<Suggestion, keyof Policies> = {
  every: 1,
  everyUnit: 'daily',
  weekdays: [],
  positions: [],
  cron: null,
  startDatetime: null,
  timezone: null,
  until: null,
  count: null,
  missingTime: null,
  repeatedTime: null,
  logLevel: 'INFO',
};

/** Somebody may have written a time into the database that is beyond all dates. */
function toDate(ms: number): Date;
function toDate(ms: number | null): Date | null;
function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(Math.min(ms, 8.64e15));
}
