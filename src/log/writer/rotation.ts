// When a log is rotated.

import { Zone } from '../../recurrence/time/zone.js';
import type { RotationPolicy } from '../../site/log-settings.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/**
 * Whether a file must be rotated.
 *
 * By time: when the zone's clocks show another day or hour than at its beginning. An hour that the clocks
 * show twice is two hours. After a clock was set back, nothing is rotated until it has caught up.
 *
 * @param began when the file began, in ms since 1970; with `NaN` (unknown) only its size counts
 * @param timezone an IANA name
 */
export function isRotationDue(
  policy: RotationPolicy,
  { sizeBytes, began }: { readonly sizeBytes: number; readonly began: number },
  now: number,
  timezone: string,
): boolean {
  if (policy.maxBytes > 0 && sizeBytes >= policy.maxBytes) return true;
  if (policy.every === 'never' || !(now > began)) return false;
  return periodOf(policy.every, began, timezone) !== periodOf(policy.every, now, timezone);
}

function periodOf(every: 'hourly' | 'daily', instant: number, timezone: string): string {
  const offset = Zone.named(timezone)?.offsetAt(instant) ?? 0;
  const wall = instant + offset;
  return every === 'daily' ? String(Math.floor(wall / dayMs)) : `${Math.floor(wall / hourMs)} ${offset}`;
}
