// New lines of the log that are not drawn yet. After each drawing the page rests as long as that took, so that it can be
// used while lines come faster than it draws.

import type { LogLine } from '../api.js';

/** Lines that were left out, because there were too many. */
interface Omitted {
  readonly id: string;
  /** Null for unknown many. */
  readonly omitted: number | null;
}

export type LogItem = LogLine | Omitted;

/** What came at once. */
interface Arrival {
  readonly items: readonly LogItem[];
  /** The position behind it. */
  readonly after: string;
}

/** Lines drawn at once, unless more came at once. */
const maxDrawn = 500;
/** With more, the page would show what is long past. */
const maxWaiting = 6000;
const longestRestMs = 1000;

export class LogQueue {
  readonly #draw: (items: readonly LogItem[], after: string) => void;
  readonly #onFrame: (then: () => void) => void;
  #waiting: Arrival[] = [];
  #isResting = false;

  /**
   * @param draw gets the items, and the position behind them
   * @param onFrame calls when the browser shows what was drawn
   */
  constructor(draw: (items: readonly LogItem[], after: string) => void, onFrame: (then: () => void) => void) {
    this.#draw = draw;
    this.#onFrame = onFrame;
  }

  /** Draws them at once, or later in their order; all that waits is left out when it is too much. */
  add(items: readonly LogItem[], after: string): void {
    this.#waiting.push({ items, after });
    if (countOf(this.#waiting) > maxWaiting) this.#waiting = [leftOut(this.#waiting, after)];
    if (!this.#isResting) this.#drawNext();
  }

  /** Forgets what is not drawn. */
  clear(): void {
    this.#waiting = [];
  }

  #drawNext(): void {
    let count = 1;
    while (count < this.#waiting.length && countOf(this.#waiting.slice(0, count + 1)) <= maxDrawn) count++;
    const next = this.#waiting.splice(0, count);
    const last = next.at(-1);
    if (last === undefined) return;
    this.#isResting = true;
    const startedAt = performance.now();
    this.#draw(
      next.flatMap(({ items }) => items),
      last.after,
    );
    this.#onFrame(() => {
      const tookMs = performance.now() - startedAt;
      setTimeout(() => this.#wake(), Math.min(tookMs, longestRestMs));
    });
  }

  #wake(): void {
    this.#isResting = false;
    this.#drawNext();
  }
}

function countOf(arrivals: readonly Arrival[]): number {
  return arrivals.reduce((sum, { items }) => sum + items.length, 0);
}

/** Says how many lines there were, in place of them. */
function leftOut(arrivals: readonly Arrival[], after: string): Arrival {
  const counts = arrivals.flatMap(({ items }) => items.map((item) => ('text' in item ? 1 : item.omitted)));
  const omitted = counts.includes(null) ? null : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  return { items: [{ id: `${after}-skipped`, omitted }], after };
}
