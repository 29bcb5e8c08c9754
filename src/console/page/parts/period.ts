// A period on a time axis: zooming, moving, and the marks of the axis.

import { formatSite } from './time.js';

/** In ms since 1970. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const shortestMs = 10 * second;
const longestMs = 4 * 366 * day;
const lengths = [20 * minute, 2 * hour, day, 7 * day, 30 * day, 365 * day];

/**
 * The period around now of a rule whose runs are so far apart: long enough for some twenty of them. A day when that is
 * not known.
 */
export function periodAround(instant: number, apartMs: number): Period {
  const length = lengths.find((length) => length >= 20 * apartMs) ?? day;
  const middle = Math.floor(instant / minute) * minute;
  return { from: middle - 0.75 * length, to: middle + 0.25 * length };
}

/** Makes the period `factor` times as long. @param share where it stays in place, from 0 to 1 */
export function zoomed({ from, to }: Period, factor: number, share = 0.5): Period {
  const length = Math.min(longestMs, Math.max(shortestMs, (to - from) * factor));
  const still = from + (to - from) * share;
  return { from: still - length * share, to: still + length * (1 - share) };
}

/** Moves it by a share of its length. */
export function moved({ from, to }: Period, share: number): Period {
  const ms = (to - from) * share;
  return { from: from + ms, to: to + ms };
}

/** What is loaded of it: more, so that dragging shows something at once, in whole steps, so that a small move loads nothing. */
export function widened({ from, to }: Period): Period {
  const step = (to - from) / 2;
  const first = Math.floor(from / step) * step - step;
  return { from: first, to: first + 5 * step };
}

interface Move {
  readonly keys: readonly string[];
  readonly label: string;
  readonly text: string;
  /** Null goes to now. */
  readonly from: (period: Period) => Period | null;
}

/** How somebody moves through time, by buttons and keys. */
export const moves: readonly Move[] = [
  { keys: ['+', '='], label: 'Zoom in', text: '+', from: (period) => zoomed(period, 1 / 2) },
  { keys: ['-'], label: 'Zoom out', text: '−', from: (period) => zoomed(period, 2) },
  { keys: ['ArrowLeft'], label: 'Earlier', text: '‹', from: (period) => moved(period, -0.25) },
  { keys: ['ArrowRight'], label: 'Later', text: '›', from: (period) => moved(period, 0.25) },
  { keys: ['Home'], label: 'Now', text: 'Now', from: () => null },
];

/** The period of an address; null when there is none, or it is wrong. */
export function periodOf(fromText: string, toText: string): Period | null {
  const [from, to] = [Date.parse(fromText), Date.parse(toText)];
  return to - from >= shortestMs && to - from <= longestMs ? { from, to } : null;
}

/** To the second. */
export function isoOf(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');
}

interface Tick {
  readonly at: number;
  readonly text: string;
}

const steps = [
  ...[second, 5 * second, 15 * second, minute, 5 * minute, 15 * minute],
  ...[hour, 3 * hour, 6 * hour, 12 * hour, day, 7 * day, 30 * day, 91 * day, 365 * day],
];

/** Marks at round times of the site's clocks, at most so many. */
export function ticksOf({ from, to }: Period, most: number): Tick[] {
  const step = steps.find((one) => (to - from) / one <= most) ?? 365 * day;
  const middle = Math.floor((from + to) / 2 / second) * second;
  const offset = Date.parse(`${formatSite(middle).replace(' ', 'T')}Z`) - middle;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step)
    ticks.push({ at, text: tickText(formatSite(at), step) });
  return ticks;
}

function tickText(wall: string, step: number): string {
  if (step >= 30 * day) return wall.slice(0, 10);
  if (step >= day || wall.endsWith('00:00:00')) return wall.slice(5, 10);
  return step >= minute ? wall.slice(11, 16) : wall.slice(11);
}
