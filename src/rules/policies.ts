// How a rule's runs are dealt with: what each policy may be, and what it is unless somebody says otherwise.
//
// A procedure suggests them, a rule overrides them one by one. One list here; the procedure's check, the
// rule's columns, the words of `linod rule N set` and the tables of the documentation come from it.

import { durationRule, type GivenDurations, inUnitOf, parseDuration } from '../base/duration.js';
import { suggestion } from '../base/errors.js';
import { excludedRule, isExcludedList, wrongEntry } from '../recurrence/exclusions.js';

/**
 * The policies of a rule, none of them open. `npm run docs` copies the comments into
 * docs/reference/policies.md.
 */
export interface Policies {
  /** When a run fails, the rule is cancelled, goes on at its next time, or the run is tried again. */
  readonly onFailure: 'cancel' | 'continue' | 'retry';
  /**
   * How many further attempts a run has, after failures (`onFailure: retry`) and after losses
   * (`onLost: run-again`) together. When the last attempt is lost, the run counts as failed.
   */
  readonly retries: number;
  /**
   * How long the first further attempt waits. Each later one waits about twice as long as the one before, at
   * most an hour.
   */
  readonly retryDelaySeconds: number;
  /**
   * The rule is cancelled after this many failures in a row, each with all its attempts. It has no effect
   * with `onFailure: continue`.
   */
  readonly cancelAfter: number;
  /**
   * When the worker of a run dies, or is stopped before the run ends: the rule goes on at its next time, the
   * run is begun again, or the rule is cancelled.
   */
  readonly onLost: 'continue' | 'run-again' | 'cancel';
  /**
   * What becomes of due times that passed while no worker ran the rules: no run makes up for them, one run
   * makes up for all, or each is run.
   */
  readonly misfire: 'skip' | 'run-once' | 'run-all';
  /** A due time that is late by more than this is dropped. 0: no limit. */
  readonly misfireWindowSeconds: number;
  /**
   * A rule is due or requested while its last run still goes on. The new run is skipped, one run waits for
   * the end of the last, both run, or the last run is asked to end first.
   */
  readonly overlap: 'skip' | 'queue-one' | 'allow' | 'cancel-previous';
  /** A run that takes longer is asked to end. */
  readonly timeoutSeconds: number;
  /**
   * A run that was asked to end may take this long, at most 5 s when its worker stops. Then its thread or
   * process is killed.
   */
  readonly graceSeconds: number;
  /** Where a run executes: on the worker's own event loop, in a thread, or in a process of its own. */
  readonly runIn: 'inline' | 'thread' | 'process';
  /** How much memory a thread or process may take, in MiB. */
  readonly memoryMb: number;
  /** Of several rules that are due, those with the higher number come first. */
  readonly priority: number;
  /** The name of a group of rules that must not all run at once; empty for none. */
  readonly group: string;
  /**
   * The rule starts only while fewer runs than this of its group go on. Limits in one group may differ. No
   * rule overtakes an earlier one that waits for the group.
   */
  readonly groupLimit: number;
  /** Every due time is moved by the same part of this many seconds. The rule's number decides the part. */
  readonly jitterSeconds: number;
  /** Days and times of day at which the rule does not run. */
  readonly excluded: readonly string[];
  /** An excluded due time is skipped, or postponed to a time that is not excluded. */
  readonly onExcluded: 'skip' | 'postpone';
  /** The rule is due whenever a run of that other one is done, and at no other time. */
  readonly runAfter: string;
  /**
   * When no run has been done for so long, an alarm is raised, whatever the cause; empty for none. See
   * [Alarms](../guides/alarms.md).
   */
  readonly mustSucceedWithin: string;
}

export type PolicyName = keyof Policies;

/** The value types of policies, as `linod rule N set` reads them. */
type Kind = 'number' | 'text' | 'list';

export interface PolicyDefinition<T> {
  readonly kind: Kind;
  /** In `job_rules`. Lists are JSON there. */
  readonly column: string;
  readonly default: T;
  /** What a value may be, as a clause: `one of skip, run-once, run-all`. */
  readonly allowed: string;
  /** What the word `none` stands for; missing where there is no such thing. */
  readonly none?: T;
  isAllowed(value: unknown): value is T;
  /** Which part of a value that is not allowed is to blame, for people; null where that is the whole. */
  wrongPart?(value: unknown): string | null;
}

function choice<T extends string>(column: string, first: T, ...others: T[]): PolicyDefinition<T> {
  const values: readonly string[] = [first, ...others];
  return {
    kind: 'text',
    column,
    default: first,
    allowed: `one of ${values.join(', ')}`,
    isAllowed: (value): value is T => typeof value === 'string' && values.includes(value),
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly whole: boolean;
  readonly unit: string;
}

function number(column: string, standard: number, range: Range, none?: 0): PolicyDefinition<number> {
  const { from, to, whole, unit } = range;
  return {
    kind: 'number',
    column,
    default: standard,
    allowed: `a ${whole ? 'whole ' : ''}number ${unit}from ${from} to ${to}${unit && `, or ${durationRule}`}`,
    ...(none === undefined ? {} : { none }),
    isAllowed: (value): value is number =>
      typeof value === 'number' &&
      (whole ? Number.isInteger(value) : Number.isFinite(value)) &&
      value >= from &&
      value <= to,
  };
}

const whole = (from: number, to: number): Range => ({ from, to, whole: true, unit: '' });
const seconds = (from: number, to: number): Range => ({ from, to, whole: false, unit: 'of seconds ' });

/** Timers cannot wait for longer. */
const longestSeconds = 2_000_000;
/** With less, a thread or process ends while it loads the site: one with a single procedure needs 12. */
const leastMemoryMb = 16;

/** Each policy in the order in which people see it. */
export const policies: { readonly [K in PolicyName]: PolicyDefinition<Policies[K]> } = {
  misfire: choice<Policies['misfire']>('misfire', 'run-once', 'skip', 'run-all'),
  misfireWindowSeconds: number('misfire_window_seconds', 0, seconds(0, 400 * 86_400), 0),
  overlap: choice<Policies['overlap']>('overlap', 'skip', 'queue-one', 'allow', 'cancel-previous'),
  timeoutSeconds: number('timeout_seconds', 7200, seconds(0.001, longestSeconds)),
  graceSeconds: number('grace_seconds', 5, seconds(0, 3600)),
  onFailure: choice<Policies['onFailure']>('on_failure', 'cancel', 'continue', 'retry'),
  retries: number('retries', 3, whole(1, 100)),
  retryDelaySeconds: number('retry_delay_seconds', 10, seconds(0, 86_400)),
  cancelAfter: number('cancel_after', 1, whole(1, 1000)),
  onLost: choice<Policies['onLost']>('on_lost', 'continue', 'run-again', 'cancel'),
  runIn: choice<Policies['runIn']>('run_in', 'inline', 'thread', 'process'),
  memoryMb: {
    ...number('memory_mb', 0, whole(0, 1_000_000), 0),
    allowed: `0 for no limit, or a whole number of MiB from ${leastMemoryMb}, with which a site can be loaded, to 1000000`,
    isAllowed: (value): value is number =>
      value === 0 ||
      (typeof value === 'number' && Number.isInteger(value) && value >= leastMemoryMb && value <= 1_000_000),
  },
  priority: number('priority', 0, whole(-1000, 1000)),
  group: {
    kind: 'text',
    column: 'job_group',
    default: '',
    allowed: 'a name of at most 100 letters, digits, "_", "-" or "."',
    none: '',
    isAllowed: (value): value is string => typeof value === 'string' && /^[\w.-]{0,100}$/.test(value),
  },
  groupLimit: number('group_limit', 1, whole(1, 1000)),
  jitterSeconds: number('jitter_seconds', 0, seconds(0, 86_400), 0),
  excluded: {
    kind: 'list',
    column: 'excluded',
    default: [],
    allowed: excludedRule,
    none: [],
    isAllowed: isExcludedList,
    wrongPart: wrongEntry,
  },
  onExcluded: choice<Policies['onExcluded']>('on_excluded', 'skip', 'postpone'),
  runAfter: {
    kind: 'text',
    column: 'run_after',
    default: '',
    allowed: 'the name or the number of a rule',
    none: '',
    isAllowed: (value): value is string => typeof value === 'string' && value.length <= 200,
  },
  mustSucceedWithin: {
    kind: 'text',
    column: 'must_succeed_within',
    default: '',
    allowed: `${durationRule}, from 1s to 400d`,
    none: '',
    isAllowed: (value): value is string =>
      typeof value === 'string' && (value === '' || mustSucceedMs(value) !== null),
  },
};

/** The policy `mustSucceedWithin` in ms; null for none, or a text that is no such time. */
export function mustSucceedMs(within: string): number | null {
  const ms = parseDuration(within) ?? 0;
  return ms >= 1000 && ms <= 400 * 86_400_000 ? ms : null;
}

export const policyNames: readonly PolicyName[] = Object.keys(policies).filter(isPolicyName);

export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(policies, name);
}

/** The given policies, and the usual value for each that is missing. */
export function withDefaults(given: Partial<GivenDurations<Policies>>): Policies {
  const chosen = policyNames.map(
    (name) => [name, inUnitOf(name, given[name]) ?? policies[name].default] as const,
  );
  return Object.fromEntries(chosen) as unknown as Policies;
}

/**
 * What is wrong with a value of a policy, as a sentence without its subject; null when nothing is.
 *
 * @example
 * problemOf('overlap', 'alow'); // 'expected overlap to be one of skip, …, got: "alow"; did you mean "allow"?'
 */
export function problemOf(name: PolicyName, value: unknown): string | null {
  const definition = policies[name];
  if (definition.isAllowed(value)) return null;
  const words = definition.allowed.startsWith('one of ') ? definition.allowed.slice(7).split(', ') : [];
  const near = typeof value === 'string' ? suggestion(value, words) : '';
  const got = definition.wrongPart?.(value) ?? `${JSON.stringify(value)}${near}`;
  return `expected ${name} to be ${definition.allowed}, got: ${got}`;
}
