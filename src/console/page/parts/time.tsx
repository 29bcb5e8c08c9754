// Points in time and durations. Times are in the site's zone; the browser's is in the title.

import { computed, signal } from '@preact/signals';
import { session } from '../session.js';

/** The time now, to the second, while the tab is shown. */
export const now = signal(Date.now());
function tick(): void {
  if (!document.hidden) now.value = Date.now();
}
setInterval(tick, 1_000);
document.addEventListener('visibilitychange', tick);

interface ZoneFormat {
  readonly zone: string;
  format(instant: number | string): string;
}

const siteFormat = computed(() => formatIn(session.value?.site.timezone ?? 'UTC'));
const browserFormat = formatIn();
/** The date in the site's zone. */
export const siteToday = computed(() => formatSite(now.value).slice(0, 10));

function formatIn(timeZone?: string): ZoneFormat {
  // Swedish is the language whose dates are written in the order of ISO 8601.
  const format = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone });
  // Many lines of the log are of one second.
  let last = { second: Number.NaN, text: '' };
  return {
    zone: format.resolvedOptions().timeZone,
    format(instant) {
      const date = new Date(instant);
      const second = Math.floor(date.getTime() / 1000);
      if (second !== last.second) last = { second, text: format.format(date) };
      return last.text;
    },
  };
}

/** `2026-03-29 02:30:00` in the site's zone. */
export function formatSite(instant: number | string): string {
  return siteFormat.value.format(instant);
}

interface InstantProps {
  /** ISO 8601; nothing is shown for null. */
  readonly at: string | null;
}

/** A time of day, with the date when it is not today, or always. */
export function Time({ at, withDate = false }: InstantProps & { readonly withDate?: boolean }) {
  if (at === null) return null;
  const text = formatSite(at);
  return <Instant at={at} text={!withDate && text.startsWith(siteToday.value) ? text.slice(11) : text} />;
}

/** How long ago, or in how long: `3 min ago`, `in 2 h`. */
export function Ago({ at }: InstantProps) {
  if (at === null) return null;
  const ms = Date.parse(at) - now.value;
  const [name, size] = units.find(([, size]) => Math.abs(ms) >= size) ?? ['', 1];
  const rough = `${Math.floor(Math.abs(ms) / size)} ${name}`;
  // A clock that is a moment ahead makes nothing future.
  return <Instant at={at} text={name === '' ? 'now' : ms > 0 ? `in ${rough}` : `${rough} ago`} />;
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

function Instant({ at, text }: { readonly at: string; readonly text: string }) {
  const zones = [siteFormat.value, browserFormat].map((format) => `${format.format(at)} ${format.zone}`);
  return (
    <time dateTime={at} title={`${zones.join('\n')} (this browser)`}>
      {text}
    </time>
  );
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

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
