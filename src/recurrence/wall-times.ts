// What a rule of the calendar is made of: wall times, in order, without a thought of zones and clock changes.

/** A rule's wall times as numbers, as in wall-time.ts, the earliest first and each once. */
export interface WallTimes {
  /**
   * The first one that is not before `wall`, which is not before the rule's start and within the calendar; infinity
   * if there is none as far as the calendar goes.
   */
  firstFrom(wall: number): number;
  /** The `n`th one from the rule's start on, 1 being the first; infinity if there are fewer as far as the calendar goes. */
  nth(n: number): number;
}
