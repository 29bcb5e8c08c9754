// The common beat of all slow polls and heartbeats.
//
// Waking an idle process is expensive. So all slow polls of a process run at the same beats, and it wakes
// only once.

/** Milliseconds from one beat to the next. */
export const beatMs = 5000;

/** A timer may fire a little early. */
const slackMs = 20;

/** The offset of the beats from full multiples. Rules are due at full seconds, so beats avoid those. */
const phaseMs = 2300;

/**
 * Returns the milliseconds until the next beat. A caller just before a beat waits for the one after it, since
 * its timer fired early.
 *
 * @param now milliseconds since 1970, by the clock of the wait
 * @param everyMs the interval; default `beatMs`
 */
export function untilBeat(now: number, everyMs = beatMs): number {
  const restMs = everyMs - ((now + everyMs - phaseMs) % everyMs);
  return restMs > slackMs ? restMs : everyMs;
}
