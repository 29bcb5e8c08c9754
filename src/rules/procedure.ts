// What runs in the background: procedures, and the two functions that register them.

import { fileURLToPath } from 'node:url';
import { type Choice, ChoiceList } from '../base/choices.js';
import type { GivenDurations } from '../base/duration.js';
import { LinodError, suggestion as nearest } from '../base/errors.js';
import { type LevelName, parseLevel } from '../base/log-levels.js';
import {
  completeStart,
  type MissingTime,
  parseWhen,
  Recurrence,
  type RecurrenceFields,
  type RepeatedTime,
  readingStartDatetime,
} from '../recurrence/recurrence.js';
import type { BaseRequest } from './base-request.js';
import { type Policies, policyNames, problemOf, withDefaults } from './policies.js';

/** What a procedure does. It may be asynchronous; what it throws makes the job a failed one. */
export type ProcedureFunction<Args = unknown> = (ar: BaseRequest<Args>) => unknown;

/** When a procedure would like to run; a rule's own fields override it one by one. */
export interface Suggestion extends Policies {
  readonly every: number;
  readonly everyUnit: RecurrenceFields['everyUnit'];
  readonly weekdays: NonNullable<RecurrenceFields['weekdays']>;
  readonly positions: readonly number[];
  /** A cron expression, where `everyUnit` is `cron`; null otherwise. */
  readonly cron: string | null;
  /**
   * Wall time of the first run, `2026-11-24T20:00:00`. One that leaves the day open begins on the first such
   * day from the one on which the rule is made: `T20:00:00`, `---15T20:00:00` (the 15th), `--12-24T20:00:00`
   * (24 December), `easter-2T20:00:00`.
   */
  readonly startDatetime: string | null;
  /** Null: the site's zone. */
  readonly timezone: string | null;
  readonly until: string | null;
  readonly count: number | null;
  /** What happens to wall times that the clocks skip. Null: as usual for the unit. */
  readonly missingTime: MissingTime | null;
  /** Which to take of wall times that the clocks show twice. Null: as usual for the unit. */
  readonly repeatedTime: RepeatedTime | null;
  /** The least level of what its jobs keep of their log. Default INFO. */
  readonly logLevel: LevelName;
}

export interface ScheduleOptions<Args = unknown> extends Partial<GivenDurations<Suggestion>> {
  /** Default: the function's name. */
  readonly name?: string;
  /** What people read; default: the name. */
  readonly text?: string;
  /** Makes `ar.args` of what a run was asked for with, `null` for nothing. What it throws fails the run. */
  readonly parseArgs?: (args: unknown) => Args;
}

/** Options of a procedure whose times a text says. */
export type WhenOptions<Args = unknown> = Omit<
  ScheduleOptions<Args>,
  'every' | 'everyUnit' | 'weekdays' | 'positions' | 'cron' | 'startDatetime'
>;

export interface DailyOptions<Args = unknown>
  extends Omit<ScheduleOptions<Args>, 'everyUnit' | 'cron' | 'startDatetime'> {
  /** Hour of the day in the rule's zone. Default 20. */
  readonly hour?: number;
  readonly minute?: number;
}

/** A function that an application wants run in the background. */
export class Procedure implements Choice {
  readonly value: string;
  readonly name: string;
  readonly text: string;
  readonly func: ProcedureFunction;
  readonly suggestion: Suggestion;
  /** The file and line that registered it. */
  readonly source: string;
  /** What a run of it gets as `ar.args`. */
  readonly parseArgs: (args: unknown) => unknown;

  constructor(name: string, func: ProcedureFunction, options: ScheduleOptions, source: string) {
    this.value = name;
    this.name = name;
    this.text = options.text ?? name;
    this.func = func;
    this.suggestion = suggestionFrom(options);
    this.source = source;
    this.parseArgs = options.parseArgs ?? ((args) => args);
  }

  get every(): number {
    return this.suggestion.every;
  }

  get everyUnit(): Suggestion['everyUnit'] {
    return this.suggestion.everyUnit;
  }

  get startDatetime(): string | null {
    return this.suggestion.startDatetime;
  }

  /** Calls the function. */
  async run(ar: BaseRequest): Promise<void> {
    await this.func(ar);
  }

  /**
   * When a rule with nothing overridden is due: in UTC and from the year 2000 on, where the suggestion leaves
   * that open.
   */
  get recurrence(): Recurrence {
    const { suggestion } = this;
    return Recurrence.from({
      ...suggestion,
      start: completeStart(suggestion.startDatetime ?? 'T00:00:00', '2000-01-01T00:00:00'),
      timezone: suggestion.timezone ?? 'UTC',
      missingTime: suggestion.missingTime ?? undefined,
      repeatedTime: suggestion.repeatedTime ?? undefined,
    });
  }

  toString(): string {
    return `Procedures.${this.name}`;
  }
}

function suggestionFrom(options: ScheduleOptions): Suggestion {
  return {
    every: options.every ?? 1,
    everyUnit: options.everyUnit ?? (options.cron == null ? 'daily' : 'cron'),
    weekdays: options.weekdays ?? [],
    positions: options.positions ?? [],
    cron: options.cron ?? null,
    startDatetime: options.startDatetime ?? null,
    timezone: options.timezone ?? null,
    until: options.until ?? null,
    count: options.count ?? null,
    missingTime: options.missingTime ?? null,
    repeatedTime: options.repeatedTime ?? null,
    logLevel: options.logLevel ?? 'INFO',
    ...withDefaults(options),
  };
}

/** All registered procedures, in the order of their registration. */
export const Procedures: ChoiceList<Procedure> = new ChoiceList<Procedure>();

/** Two procedures want the same name. */
export class DuplicateProcedureError extends LinodError {
  constructor(name: string, first: string, second: string) {
    super(
      'LINOD_ERR_DUPLICATE_PROCEDURE',
      `two procedures are named ${JSON.stringify(name)}: one registered at ${first}, one at ${second}; give one of them another name: scheduleDaily({ name: '…' }, …)`,
    );
  }
}

/** A procedure that makes no sense as it was registered. */
export class InvalidProcedureError extends LinodError {
  constructor(source: string, problem: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_INVALID_PROCEDURE', `procedure registered at ${source}: ${problem}`, options);
  }
}

/**
 * Registers a function to run every few seconds: every 10 unless `every` or `everyUnit` say otherwise.
 *
 * @example
 * scheduleOften({ every: 300 }, async function check_stock(ar) { ar.info('stock checked', { articles: 12 }); });
 * @throws InvalidProcedureError (`LINOD_ERR_INVALID_PROCEDURE`), DuplicateProcedureError
 *   (`LINOD_ERR_DUPLICATE_PROCEDURE`)
 */
export function scheduleOften(func: ProcedureFunction): Procedure;
export function scheduleOften<Args = unknown>(
  options: ScheduleOptions<Args>,
  func: ProcedureFunction<Args>,
): Procedure;
export function scheduleOften(
  first: ScheduleOptions | ProcedureFunction,
  second?: ProcedureFunction,
): Procedure {
  const source = callSite(scheduleOften);
  const [options, func] = split(first, second, source);
  refuseUnknown(options, everyOption, source);
  return register({ every: 10, everyUnit: 'secondly', ...options }, func, source);
}

/**
 * Registers a function to run once a day, at 20:00 in the rule's zone unless `hour` and `minute` say
 * otherwise.
 *
 * @example
 * scheduleDaily({ hour: 3, minute: 30 }, async function nightly_report(ar) { … });
 * @throws InvalidProcedureError (`LINOD_ERR_INVALID_PROCEDURE`), DuplicateProcedureError
 *   (`LINOD_ERR_DUPLICATE_PROCEDURE`)
 */
export function scheduleDaily(func: ProcedureFunction): Procedure;
export function scheduleDaily<Args = unknown>(
  options: DailyOptions<Args>,
  func: ProcedureFunction<Args>,
): Procedure;
export function scheduleDaily(
  first: DailyOptions | ProcedureFunction,
  second?: ProcedureFunction,
): Procedure {
  const source = callSite(scheduleDaily);
  const [options, func] = split(first, second, source);
  refuseUnknown(options, ['hour', 'minute', ...everyOption.filter((name) => !ofDay.includes(name))], source);
  const { hour = 20, minute = 0, ...rest } = options;
  const startDatetime = `T${timePart('hour', hour, 23, source)}:${timePart('minute', minute, 59, source)}:00`;
  return register({ every: 1, ...rest, everyUnit: 'daily', startDatetime }, func, source);
}

/**
 * Registers a function to run when a text says: words, a cron expression or RRULE text.
 *
 * @example
 * schedule('every 2 weeks on mon, fri at 10:00', async function close_sprint(ar) { … });
 * schedule('0 4 * * mon-fri', { onFailure: 'continue' }, async function fetch_rates(ar) { … });
 * @param options count for what the text leaves open: `timezone`, `until`, `count`, `missingTime`,
 * `repeatedTime`
 * @throws InvalidProcedureError (`LINOD_ERR_INVALID_PROCEDURE`), DuplicateProcedureError
 *   (`LINOD_ERR_DUPLICATE_PROCEDURE`)
 */
export function schedule(when: string, func: ProcedureFunction): Procedure;
export function schedule<Args = unknown>(
  when: string,
  options: WhenOptions<Args>,
  func: ProcedureFunction<Args>,
): Procedure;
export function schedule(
  when: string,
  first: WhenOptions | ProcedureFunction,
  second?: ProcedureFunction,
): Procedure {
  const source = callSite(schedule);
  const [options, func] = split(first, second, source);
  refuseUnknown(
    options,
    everyOption.filter((name) => !ofText.includes(name)),
    source,
  );
  return register({ ...options, ...suggestionOf(when, options, source) }, func, source);
}

/** What a text says of a suggestion; the options count where it is silent. */
function suggestionOf(when: string, options: Partial<WhenOptions>, source: string): Partial<Suggestion> {
  try {
    const { start, timezone, until, count, missingTime, repeatedTime, ...said } = parseWhen(when);
    return {
      ...said,
      startDatetime: start,
      timezone: timezone ?? options.timezone ?? null,
      until: until ?? options.until ?? null,
      count: count ?? options.count ?? null,
      missingTime: missingTime ?? options.missingTime ?? null,
      repeatedTime: repeatedTime ?? options.repeatedTime ?? null,
    };
  } catch (error) {
    if (!(error instanceof LinodError)) throw error;
    throw new InvalidProcedureError(source, error.message, { cause: error });
  }
}

function register(options: ScheduleOptions, func: ProcedureFunction, source: string): Procedure {
  const name = options.name ?? func.name;
  if (!/^[A-Za-z][\w.-]{0,99}$/.test(name)) {
    throw new InvalidProcedureError(
      source,
      `expected a name of letters, digits, "_", "-" or ".", got: ${JSON.stringify(name)}; name the function or give { name: '…' }`,
    );
  }
  const earlier = Procedures.get(name);
  // A file that is loaded again replaces what it registered.
  if (earlier !== undefined && (earlier.source !== source || source === unknownLocation)) {
    throw new DuplicateProcedureError(name, earlier.source, source);
  }
  const procedure = new Procedure(name, func, options, source);
  check(procedure);
  return Procedures.add(procedure);
}

const everyOption: readonly string[] = ['name', 'text', 'parseArgs', ...Object.keys(suggestionFrom({}))];
/** What `scheduleDaily` has decided. */
const ofDay: readonly string[] = ['everyUnit', 'cron', 'startDatetime'];
/** What the text of `schedule` says. */
const ofText: readonly string[] = [...ofDay, 'every', 'weekdays', 'positions'];

/**
 * The compiler refuses these, but not in a file of JavaScript, nor in an object that was put together before.
 */
function refuseUnknown(options: object, known: readonly string[], source: string): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const hint = nearest(option, known) || `; there are ${known.join(', ')}`;
    throw new InvalidProcedureError(source, `there is no option ${JSON.stringify(option)}${hint}`);
  }
}

/** Finds a wrong suggestion when the program starts, not when the first rule is made of it. */
function check(procedure: Procedure): void {
  const { name, suggestion, source } = procedure;
  try {
    parseLevel(suggestion.logLevel);
    readingStartDatetime(suggestion.startDatetime, () => procedure.recurrence);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new InvalidProcedureError(source, `${name}: ${problem}`, { cause: error });
  }
  for (const policy of policyNames) {
    const problem = problemOf(policy, suggestion[policy]);
    if (problem !== null) throw new InvalidProcedureError(source, `${name}: ${problem}`);
  }
}

function split<O extends object>(
  first: O | ProcedureFunction,
  second: ProcedureFunction | undefined,
  source: string,
): [Partial<O>, ProcedureFunction] {
  if (typeof first === 'function') return [{}, first as ProcedureFunction];
  if (typeof second === 'function') return [first, second];
  throw new InvalidProcedureError(source, 'expected a function, or options and a function');
}

function timePart(part: string, value: number, max: number, source: string): string {
  if (Number.isInteger(value) && value >= 0 && value <= max) return String(value).padStart(2, '0');
  throw new InvalidProcedureError(
    source,
    `expected ${part} to be a whole number from 0 to ${max}, got: ${String(value)}`,
  );
}

const unknownLocation = 'an unknown location';

/**
 * Where the caller of a function stands, `FILE:LINE`, so that messages can name it. Without the column, which
 * is that of what the loader has made of the file.
 */
function callSite(callee: (...args: never[]) => unknown): string {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, callee);
  const frame = holder.stack?.split('\n').at(-1) ?? '';
  Error.stackTraceLimit = limit;
  const location = /((?:file:\/\/)?\/.*?):(\d+):\d+\)?$/.exec(frame);
  if (location?.[1] === undefined) return unknownLocation;
  const path = location[1].startsWith('file:') ? fileURLToPath(location[1]) : location[1];
  return `${path}:${location[2]}`;
}
