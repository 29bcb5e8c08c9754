// Tells senders what is on disk, gathered: a few times a second, or when much was written.

import type { Clock } from '../../base/clock.js';
import type { Standing } from './inbox.js';

/** A sender is told no more often … */
const everyMs = 250;
/** … unless so much was written since: it has room for some times as much under way. */
const enoughBytes = 512 * 1024;

export class Acknowledgements {
  readonly #clock: Clock;
  readonly #untold = new Map<Standing, number>();
  readonly #toldAt = new WeakMap<Standing, number>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something of a sender was written, or was there already. */
  add(standing: Standing, bytes: number): void {
    const sum = (this.#untold.get(standing) ?? 0) + bytes;
    this.#untold.set(standing, sum);
    const sinceMs = this.#clock.now() - (this.#toldAt.get(standing) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs >= everyMs || sinceMs < 0 || sum >= enoughBytes) this.#tell(standing);
    else this.#cancel ??= this.#clock.after(everyMs - sinceMs, () => this.flush());
  }

  /** Tells all that wait for it. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const standing of this.#untold.keys()) this.#tell(standing);
  }

  #tell(standing: Standing): void {
    const { sender, epoch, written: last, reply } = standing;
    this.#untold.delete(standing);
    this.#toldAt.set(standing, this.#clock.now());
    reply?.({ type: 'log.ack', sender, epoch, last });
  }
}
