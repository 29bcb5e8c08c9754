// Which of the data that is shown may be old, and since when.

import { computed, signal } from '@preact/signals';

interface Cause {
  /** In ms since 1970. */
  readonly since: number;
  readonly why: string;
}

const causes = signal<ReadonlyMap<object, Cause>>(new Map());

/** The oldest cause; null while everything is current. */
export const stale = computed(() => {
  const all = [...causes.value.values()];
  return all.reduce<Cause | null>((a, b) => (a !== null && a.since <= b.since ? a : b), null);
});

/** Says that what this owner shows is from that time. */
export function markStale(owner: object, since: number, why: string): void {
  const known = causes.peek().get(owner);
  causes.value = new Map(causes.peek()).set(owner, { since: known?.since ?? since, why });
}

/** Says that what this owner shows is current, or no longer shown. */
export function clearStale(owner: object): void {
  if (!causes.peek().has(owner)) return;
  const rest = new Map(causes.peek());
  rest.delete(owner);
  causes.value = rest;
}
