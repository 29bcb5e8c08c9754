// A time zone: its offset at an instant, and the instants at which its clocks show a wall time. luxon knows the offsets.

import { IANAZone } from 'luxon';
import { dayMs } from './wall-time.js';

/** When the clocks of a zone show a wall time. Instants are milliseconds since 1970 UTC. */
export type Showing =
  | { readonly kind: 'once'; readonly instant: number }
  /** The clocks go back over it. */
  | { readonly kind: 'twice'; readonly first: number; readonly second: number }
  /** The clocks go forward over it: `jump` is when, `shifted` the wall time by the offset from before. */
  | { readonly kind: 'never'; readonly jump: number; readonly shifted: number };

/**
 * A stretch of one year of UTC during which the offset stays the same, from `since` up to but without `until`.
 * Neighbours have different offsets, except where a year ends.
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

/** No zone is further than this from UTC, and no clock was ever moved by more: Apia left out one whole day. */
export const farthestMs = 26 * 3_600_000;

/** Two changes of one zone are at least a week apart, as in Boa Vista in October 2000. */
const probeMs = 6 * dayMs;

const utc: Span = { offsetMs: 0, since: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

export class Zone {
  static readonly #zones = new Map<string, Zone>();

  /** Undefined for UTC. */
  readonly #zone: IANAZone | undefined;
  /** Spans by the year of UTC, since luxon takes some 10 µs for an offset. */
  readonly #years = new Map<number, readonly Span[]>();

  private constructor(zone?: IANAZone) {
    this.#zone = zone;
  }

  /** The zone with this IANA name, or undefined if there is none. The same name gives the same object. */
  static named(name: string): Zone | undefined {
    const known = Zone.#zones.get(name);
    // Newer versions of Node take "+02:00" for a zone, which would be a different one in every season.
    if (known !== undefined || !/^[a-z]/i.test(name) || !IANAZone.isValidZone(name)) return known;
    const zone = name === 'UTC' ? new Zone() : new Zone(IANAZone.create(name));
    Zone.#zones.set(name, zone);
    return zone;
  }

  /** What the zone's clocks are ahead of UTC at an instant, in milliseconds. */
  offsetAt(instant: number): number {
    return this.spanAt(instant).offsetMs;
  }

  /** An instant up to which the offset surely stays what it is at `instant`. */
  steadyUntil(instant: number): number {
    return this.spanAt(instant).until;
  }

  /** Whether no clock change is near enough to `instant` to move a wall time over it. */
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

  /** The instant of a wall time: the first of two; a missing one as if the clocks had not been moved. */
  instantOf(wall: number): number {
    const showing = this.whenShowing(wall);
    if (showing.kind === 'once') return showing.instant;
    return showing.kind === 'twice' ? showing.first : showing.shifted;
  }

  /** The changes later than `from` up to and with `to`, in order. */
  changesBetween(from: number, to: number): ClockChange[] {
    const spans = this.#spansBetween(from, to);
    return spans.slice(1).map(({ offsetMs }, i) => {
      const { offsetMs: offsetBeforeMs, until: at } = spans[i] ?? utc;
      return { at, offsetBeforeMs, offsetMs };
    });
  }

  /** The spans that touch a stretch of time, in order; those of one offset are put together. */
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

  /** The span that an instant lies in. */
  spanAt(instant: number): Span {
    if (this.#zone === undefined) return utc;
    const year = new Date(instant).getUTCFullYear();
    const known = this.#years.get(year);
    const spans = known ?? spansOfYear(this.#zone, year);
    if (known === undefined) this.#years.set(year, spans);
    // Only beyond what dates can say is there no span.
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
