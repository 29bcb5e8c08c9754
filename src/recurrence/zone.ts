// A time zone: its offset at an instant, and the instants at which its clocks show a wall time.

import { dayMs } from './wall-time.js';

/** When the clocks of a zone show a wall time. Instants are milliseconds since 1970 UTC. */
export type Showing =
  | { readonly kind: 'once'; readonly instant: number }
  /** The clocks go back over it. */
  | { readonly kind: 'twice'; readonly first: number; readonly second: number }
  /** The clocks go forward over it: `jump` is when, `shifted` the wall time by the offset from before. */
  | { readonly kind: 'never'; readonly jump: number; readonly shifted: number };

/**
 * A time during which a zone's offset stays the same, from `since` up to but without `until`, within one year of
 * UTC: the next span may well have the same offset. Instants in milliseconds since 1970 UTC.
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

/**
 * No zone is further than this from UTC, and no clock was ever moved by more: Apia left out one whole day,
 * Manila's local time was 15:56 behind.
 */
export const farthestMs = 26 * 3_600_000;

/** Two changes of one zone are at least a week apart, as in Boa Vista in October 2000. */
const probeMs = 6 * dayMs;

/** Gives a zone's offset in milliseconds at an instant. */
type OffsetReader = (instant: number) => number;

export class Zone {
  static readonly #zones = new Map<string, Zone>();

  /** Undefined for UTC. */
  readonly #readOffset: OffsetReader | undefined;
  /** Spans by the year (UTC) that they lie in, since reading an offset takes a microsecond or two. */
  readonly #years = new Map<number, readonly Span[]>();

  private constructor(readOffset?: OffsetReader) {
    this.#readOffset = readOffset;
  }

  /** The zone with this IANA name, or undefined if there is none. The same name gives the same object. */
  static named(name: string): Zone | undefined {
    const known = Zone.#zones.get(name);
    if (known !== undefined) return known;
    const zone = Zone.#open(name);
    if (zone !== undefined) Zone.#zones.set(name, zone);
    return zone;
  }

  static #open(name: string): Zone | undefined {
    if (name === 'UTC') return new Zone();
    // Newer versions of Node take "+02:00" for a zone, which would be a different one in every season.
    const readOffset = /^[a-z]/i.test(name) ? offsetReader(name) : undefined;
    return readOffset === undefined ? undefined : new Zone(readOffset);
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
    if (first === undefined) return missing(wall, spans);
    return second === undefined ? { kind: 'once', instant: first } : { kind: 'twice', first, second };
  }

  /** The changes later than `from` up to and with `to`, in order. */
  changesBetween(from: number, to: number): ClockChange[] {
    const spans = this.#spansBetween(from, to);
    return spans.slice(1).map(({ offsetMs }, i) => {
      const { offsetMs: offsetBeforeMs, until: at } = spans[i] ?? utc;
      return { at, offsetBeforeMs, offsetMs };
    });
  }

  /** The spans that touch a stretch of time, in order; neighbours have different offsets. */
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
    if (this.#readOffset === undefined) return utc;
    const year = new Date(instant).getUTCFullYear();
    const known = this.#years.get(year);
    const spans = known ?? spansOfYear(this.#readOffset, year);
    if (known === undefined) this.#years.set(year, spans);
    // Only beyond what dates can say is there no span.
    return spans.find(({ until }) => instant < until) ?? utc;
  }
}

const utc: Span = { offsetMs: 0, since: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/** The change that goes over `wall`: what the clocks showed before it ends at or before `wall`, what they show after it begins later. */
function missing(wall: number, spans: readonly Span[]): Showing {
  const before = spans.findLast(({ offsetMs, until }) => until + offsetMs <= wall) ?? utc;
  return { kind: 'never', jump: before.until, shifted: wall - before.offsetMs };
}

function spansOfYear(readOffset: OffsetReader, year: number): Span[] {
  const end = Date.UTC(year + 1, 0, 1);
  const spans: Span[] = [];
  for (let instant = Date.UTC(year, 0, 1); instant < end; ) {
    const offsetMs = readOffset(instant);
    const probe = Math.min(instant + probeMs, end);
    const until = readOffset(probe) === offsetMs ? probe : firstSecondOfChange(readOffset, instant, probe);
    const last = spans.at(-1)?.offsetMs === offsetMs ? spans.pop() : undefined;
    spans.push({ offsetMs, since: last?.since ?? instant, until });
    instant = until;
  }
  return spans;
}

function firstSecondOfChange(readOffset: OffsetReader, from: number, to: number): number {
  const offsetMs = readOffset(from);
  let [low, high] = [from / 1000, to / 1000];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (readOffset(middle * 1000) === offsetMs) low = middle;
    else high = middle;
  }
  return high * 1000;
}

/**
 * Reads offsets from `Intl`, as luxon does, but as one text, `1/1/2024, GMT+02:00`, not as seven parts of a date:
 * 1 µs where luxon's `IANAZone.offset` takes 10. A year of a zone is some hundred readings.
 */
function offsetReader(timeZone: string): OffsetReader | undefined {
  const format = formatOf(timeZone);
  if (format === undefined) return undefined;
  return (instant) => {
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = offsetText.exec(format.format(instant)) ?? [];
    const ahead = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    return sign === '-' ? -ahead : ahead;
  };
}

const offsetText = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
