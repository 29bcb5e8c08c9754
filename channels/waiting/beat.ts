// When a process looks whether something has escaped it.
//
// Waking an idle process costs more than most of what it then looks at. So all that is only a net, or a sign of life, is done
// at the beats, which are the same for all who look: the process wakes once and not ten times.

/** From one beat to the next. */
export const beatMs = 5000;

/** A timer goes off a little before its time as well as after it. */
const slackMs = 20;

/** In ms from the multiples of a beat: not at full seconds, when rules are due. */
const phaseMs = 2300;

/**
 * How long it is until the next beat, in ms: never longer than a beat. Who comes a little before one, as a timer that was set
 * for it does, waits for the one after that.
 *
 * @param now in ms since 1970, by whichever clock the wait is measured
 * @param everyMs for who goes by every second beat, or by some other measure
 */
export function untilBeat(now: number, everyMs = beatMs): number {
  const restMs = everyMs - ((now + everyMs - phaseMs) % everyMs);
  return restMs > slackMs ? restMs : everyMs;
}
