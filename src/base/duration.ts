// Lengths of time as people say them.

/** `340 ms`, `12.3 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`: the two largest units. */
export function durationText(ms: number): string {
  const abs = Math.max(0, Math.round(ms));
  if (abs < 1000) return `${abs} ms`;
  if (abs < 60_000) return `${(abs / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  const seconds = Math.round(abs / 1000);
  const parts: Array<[number, string]> = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

const unitMs: Readonly<Record<string, number>> = {
  w: 7 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

const part = String.raw`(\d{1,8}(?:\.\d{1,3})?) ?(w|d|h|min|m|s|ms)(?![a-z])`;
const whole = new RegExp(`^${part}(?: ?${part})*$`);

/** What is allowed, as it follows "expected …" and a number of some unit. */
export const durationRule = 'a time such as 90s, 15m, 1h30m or 2d';

/**
 * Reads `90s`, `15m`, `1h30m`, `1.5d` or `2 h 5 min` as milliseconds, larger units first; undefined for what
 * is none of that kind. What `durationText` writes can be read.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (!whole.test(trimmed)) return undefined;
  const parts = [...trimmed.matchAll(new RegExp(part, 'g'))];
  const units = parts.map(([, , unit = '']) => unitMs[unit] ?? Number.NaN);
  if (units.some((unit, i) => i > 0 && unit >= (units[i - 1] ?? 0))) return undefined;
  return Math.round(parts.reduce((sum, [, amount], i) => sum + Number(amount) * (units[i] ?? Number.NaN), 0));
}

/** Where a name ends in its unit, a text may be given as well as a number: `graceSeconds: '1m30s'`. */
export type GivenDurations<T> = {
  [K in keyof T]: K extends `${string}${'Seconds' | 'Ms' | 'Days'}` ? T[K] | string : T[K];
};

/** A duration as a number of the unit that the name of its field ends in; any other value as it is. */
export function inUnitOf(name: string, value: unknown): unknown {
  const [, suffix] = /(Seconds|Ms|Days)$/.exec(name) ?? [];
  const ms = typeof value === 'string' && suffix !== undefined ? parseDuration(value) : undefined;
  if (ms === undefined) return value;
  return ms / { Seconds: 1000, Ms: 1, Days: 86_400_000 }[suffix as 'Seconds' | 'Ms' | 'Days'];
}
