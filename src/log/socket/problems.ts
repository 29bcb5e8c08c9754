// What could not be read of what other programs send: told once a minute, since who sends nonsense sends it again.

import type { Clock } from '../../base/clock.js';
import type { Fields } from '../fields.js';

const tellEveryMs = 60_000;
/** Of the kinds that come within a minute, so many are told in words. */
const maxKinds = 5;

/**
 * Tells the first problem at once, and at the end of each minute what came meanwhile: each kind once, with how often it
 * came. `problems` counts all so far. It keeps no process alive.
 */
export class Problems {
  readonly #clock: Clock;
  readonly #tell: (text: string, fields: Fields) => void;
  #count = 0;
  #waiting = new Map<string, number>();
  #unlisted = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, tell: (text: string, fields: Fields) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(problem: string): void {
    this.#count++;
    if (this.#waiting.size < maxKinds || this.#waiting.has(problem))
      this.#waiting.set(problem, (this.#waiting.get(problem) ?? 0) + 1);
    else this.#unlisted++;
    if (this.#cancel === undefined) this.#report();
  }

  /** Tells what has not been told. */
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
      this.#tell(times === 1 ? text : `${text} (${times} times)`, { problems });
    if (this.#unlisted > 0) this.#tell(`and ${this.#unlisted} more problems of other kinds`, { problems });
    this.#waiting = new Map();
    this.#unlisted = 0;
    this.#cancel = this.#clock.after(tellEveryMs, () => this.#report());
  }
}
