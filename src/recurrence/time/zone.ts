// A time zone: its offset at an instant, and the instants at which its clocks show a wall time. luxon has the
// offsets.

import { IANAZone } from 'luxon';
import { dayMs } from './wall-time.js';

/** When the clocks of a zone show a wall time. Instants are ms since 1970 UTC. */
export type Showing =
  | { readonly kind: 'once'; readonly instant: number }
  /** The clocks go back over it. */
  | { readonly kind: 'twice'; readonly first: number; readonly second: number }
  /** The clocks go forward over it at `jump`; `shifted` is the instant by the offset from before. */
  | { readonly kind: 'never'; readonly jump: number; readonly shifted: number };

/**
 * A period with a constant offset, from `since` up to but not including `until`. It lies within one year of
 * UTC. Neighbours have different offsets, except at the end of a year.
 */
export interface Span {
  readonly offsetMs: number;
  readonly since: number;
  readonly until: number;
}

/** The clocks of a zone were moved: at `at` the offset became `offsetMs`. */
export interface ClockChange {
  readonly at: number;
  readonly offsetBeforeMs: number;
  readonly offsetMs: number;
}

/** A bound of all offsets from UTC and of all clock changes: Apia skipped a whole day. */
export const farthestMs = 26 * 3_600_000;

/** Two changes of one zone are at least a week apart, as in Boa Vista in October 2000. */
const probeMs = 6 * dayMs;

const utc: Span = { offsetMs: 0, since: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

export class Zone {
  static readonly #zones = new Map<string, Zone>();

  /** Undefined for UTC. */
  readonly #zone: IANAZone | undefined;
  /** Cached spans by UTC year, since luxon is slow. */
  readonly #years = new Map<number, readonly Span[]>();

  private constructor(zone?: IANAZone) {
    this.#zone = zone;
  }

  /** The zone with this IANA name, or undefined if there is none. The same name returns the same object. */
  static named(name: string): Zone | undefined {
    const known = Zone.#zones.get(name);
    // Newer versions of Node accept "+02:00", which would mean another zone in each season.
    if (known !== undefined || !/^[a-z]/i.test(name) || !IANAZone.isValidZone(name)) return known;
    const zone = name === 'UTC' ? new Zone() : new Zone(IANAZone.create(name));
    Zone.#zones.set(name, zone);
    return zone;
  }

  /** The offset of the zone's clocks from UTC at an instant, in ms: positive is ahead. */
  offsetAt(instant: number): number {
    return this.spanAt(instant).offsetMs;
  }

  /** An instant up to which the offset is the same as at `instant`. */
  steadyUntil(instant: number): number {
    return this.spanAt(instant).until;
  }

  /** Whether no clock change near `instant` can move a wall time across it. */
  isSteadyAround(instant: number): boolean {
    return this.#spansBetween(instant - farthestMs, instant + farthestMs).length === 1;
  }

  /** When this zone's clocks show the wall time `wall`. */
  whenShowing(wall: number): Showing {
    const spans = this.#spansBetween(wall - farthestMs, wall + farthestMs);
    const [first, second] = spans
      .map(({ offsetMs }) => wall - offsetMs)
      .filter((instant) => instant + this.offsetAt(instant) === wall);
    if (first !== undefined && second !== undefined) return { kind: 'twice', first, second };
    if (first !== undefined) return { kind: 'once', instant: first };
    const before = spans.findLast(({ offsetMs, until }) => until + offsetMs <= wall) ?? utc;
    return { kind: 'never', jump: before.until, shifted: wall - before.offsetMs };
  }

  /**
   * The instant of a wall time. A repeated one is the first; a missing one uses the offset from before the
   * change.
   */
  instantOf(wall: number): number {
    const showing = this.whenShowing(wall);
    if (showing.kind === 'once') return showing.instant;
    return showing.kind === 'twice' ? showing.first : showing.shifted;
  }

  /** The changes later than `from` up to and including `to`, in order. */
  changesBetween(from: number, to: number): ClockChange[] {
    const spans = this.#spansBetween(from, to);
    return spans.slice(1).map(({ offsetMs }, i) => {
      const { offsetMs: offsetBeforeMs, until: at } = spans[i] ?? utc;
      return { at, offsetBeforeMs, offsetMs };
    });
  }

  /** The spans of a period, in order; neighbours with the same offset are merged. */
  #spansBetween(from: number, to: number): Span[] {
    const spans: Span[] = [];
    for (let instant = from; instant <= to; ) {
      const span = this.spanAt(instant);
      if (spans.at(-1)?.offsetMs === span.offsetMs) spans.pop();
      spans.push(span);
      instant = span.until;
    }
    return spans;
  }

  /** The span of an instant. */
  spanAt(instant: number): Span {
    if (this.#zone === undefined) return utc;
    const year = new Date(instant).getUTCFullYear();
    const known = this.#years.get(year);
    const spans = known ?? spansOfYear(this.#zone, year);
    if (known === undefined) this.#years.set(year, spans);
    // Only an instant beyond the range of dates has no span.
    return spans.find(({ until }) => instant < until) ?? utc;
  }
}

function spansOfYear(zone: IANAZone, year: number): Span[] {
  const end = Date.UTC(year + 1, 0, 1);
  const spans: Span[] = [];
  for (let instant = Date.UTC(year, 0, 1); instant < end; ) {
    const offsetMs = readOffset(zone, instant);
    const probe = Math.min(instant + probeMs, end);
    const until = readOffset(zone, probe) === offsetMs ? probe : firstSecondOfChange(zone, instant, probe);
    const last = spans.at(-1)?.offsetMs === offsetMs ? spans.pop() : undefined;
    spans.push({ offsetMs, since: last?.since ?? instant, until });
    instant = until;
  }
  return spans;
}

function firstSecondOfChange(zone: IANAZone, from: number, to: number): number {
  const offsetMs = readOffset(zone, from);
  let [low, high] = [from / 1000, to / 1000];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (readOffset(zone, middle * 1000) === offsetMs) low = middle;
    else high = middle;
  }
  return high * 1000;
}

function readOffset(zone: IANAZone, instant: number): number {
  return Math.round(zone.offset(instant) * 60_000);
}
