// Points in time and durations. Times are in the site's zone; the browser's is in the title.

import { computed, signal } from '@preact/signals';
import { session } from '../session.js';

/** The time now, to the second, while the tab is shown. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1_000);
document.addEventListener('visibilitychange', () => {
  now.value = Date.now();
});

const siteZone = computed(() => session.value?.site.timezone ?? 'UTC');
/** The date in the site's zone. */
export const siteToday = computed(() => formatWall(now.value, siteZone.value).slice(0, 10));

const formats = new Map<string, Intl.DateTimeFormat>();

/** `2026-03-29 02:30:00` in a time zone; the browser's when left out. */
function formatWall(instant: number | string, timeZone?: string): string {
  const key = timeZone ?? '';
  let format = formats.get(key);
  if (format === undefined) {
    // Swedish is the language whose dates are written in the order of ISO 8601.
    format = new Intl.DateTimeFormat('sv-SE', {
      dateStyle: 'short',
      timeStyle: 'medium',
      ...(timeZone === undefined ? {} : { timeZone }),
    });
    formats.set(key, format);
  }
  return format.format(new Date(instant));
}

/** The same in the site's zone. */
export function formatSite(instant: number | string): string {
  return formatWall(instant, siteZone.value);
}

interface TimeProps {
  /** ISO 8601; nothing is shown for null. */
  readonly at: string | null;
  /** Always with the date. By default only on another day. */
  readonly withDate?: boolean;
}

/** A time of day, with the date when it is not today. */
export function Time({ at, withDate = false }: TimeProps) {
  if (at === null) return null;
  const text = formatSite(at);
  const isToday = !withDate && text.startsWith(siteToday.value);
  return (
    <time dateTime={at} title={titleOf(at)}>
      {isToday ? text.slice(11) : text}
    </time>
  );
}

/** How long ago, or in how long: `3 min ago`, `in 2 h`. */
export function Ago({ at }: { readonly at: string | null }) {
  if (at === null) return null;
  const ms = Date.parse(at) - now.value;
  // A clock that is a moment ahead makes nothing future.
  const text = ms >= 1_000 ? `in ${formatRough(ms)}` : ms > -1_000 ? 'now' : `${formatRough(-ms)} ago`;
  return (
    <time dateTime={at} title={titleOf(at)}>
      {text}
    </time>
  );
}

/** A time, and how long ago that was. */
export function TimeAndAgo({ at }: { readonly at: string }) {
  return (
    <>
      <Time at={at} withDate />{' '}
      <span class="quiet">
        (<Ago at={at} />)
      </span>
    </>
  );
}

function titleOf(at: string): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${formatSite(at)} ${siteZone.value}\n${formatWall(at)} ${zone} (this browser)`;
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** The largest unit only: `3 min`. */
function formatRough(ms: number): string {
  const [name, size] = units.find(([, size]) => ms >= size) ?? ['s', 1_000];
  return `${Math.floor(ms / size)} ${name}`;
}

/** Two units at most: `320 ms`, `4.2 s`, `3 min 5 s`, `2 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const index = units.findIndex(([, size]) => ms >= size);
  const [name, size] = units[index] ?? ['s', 1_000];
  const [nextName, nextSize] = units[index + 1] ?? ['', Number.POSITIVE_INFINITY];
  const rest = Math.floor((ms % size) / nextSize);
  return `${Math.floor(ms / size)} ${name}${rest > 0 ? ` ${rest} ${nextName}` : ''}`;
}

interface DurationProps {
  readonly from: string;
  /** Null while it lasts. */
  readonly to: string | null;
}

/** How long something took, or takes so far. */
export function Duration({ from, to }: DurationProps) {
  const ms = (to === null ? now.value : Date.parse(to)) - Date.parse(from);
  return <span class="number">{formatDuration(Math.max(0, ms))}</span>;
}
