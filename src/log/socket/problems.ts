// Reports input that could not be read. A client that sends garbage sends it again, so reports come once a
// minute.

import type { Clock } from '../../base/clock.js';
import type { Fields } from '../fields.js';

const reportEveryMs = 60_000;
/** Maximum kinds of problems that one report names. */
const maxKinds = 5;

/**
 * Reports the first problem at once. At the end of each minute it reports what came meanwhile: each kind
 * once, with its number. The field `problems` counts all so far. No timer keeps the process alive.
 */
export class Problems {
  readonly #clock: Clock;
  readonly #log: (text: string, fields: Fields) => void;
  #count = 0;
  #waiting = new Map<string, number>();
  #unlisted = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: (text: string, fields: Fields) => void) {
    this.#clock = clock;
    this.#log = log;
  }

  add(problem: string): void {
    this.#count++;
    if (this.#waiting.size < maxKinds || this.#waiting.has(problem))
      this.#waiting.set(problem, (this.#waiting.get(problem) ?? 0) + 1);
    else this.#unlisted++;
    if (this.#cancel === undefined) this.#report();
  }

  /** Reports what still waits, and ends. */
  close(): void {
    this.#cancel?.();
    this.#report();
    this.#cancel?.();
  }

  #report(): void {
    this.#cancel = undefined;
    if (this.#waiting.size === 0) return;
    const problems = this.#count;
    for (const [text, times] of this.#waiting)
      this.#log(times === 1 ? text : `${text} (${times} times)`, { problems });
    if (this.#unlisted > 0) this.#log(`and ${this.#unlisted} more problems of other kinds`, { problems });
    this.#waiting = new Map();
    this.#unlisted = 0;
    this.#cancel = this.#clock.after(reportEveryMs, () => this.#report());
  }
}
