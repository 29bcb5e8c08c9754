// The other workers of this machine: that one of them has died is seen without the database, and soon.

import type { Clock } from '../clock.js';
import { type Owner, ownerState } from '../owner.js';

/** To look costs a file of `/proc` for each, and so is done only where there are any. */
const lookMs = 500;

export interface NeighboursOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Called once when the process of one is gone. Whoever is to be watched from then on is told by `watch`. */
  readonly onGone: () => void;
}

export class Neighbours {
  readonly #options: NeighboursOptions;
  #owners: readonly Owner[] = [];
  #disarm: (() => void) | null = null;
  #isStopped = false;

  constructor(options: NeighboursOptions) {
    this.#options = options;
  }

  /** Looks after these from now on, and after no others. */
  watch(owners: readonly Owner[]): void {
    this.#owners = owners;
    if (owners.length > 0) this.#lookLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm?.();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#disarm ??= this.#options.clock.after(lookMs, () => {
      this.#disarm = null;
      if (this.#owners.length === 0) return;
      if (!this.#owners.some((owner) => ownerState(owner) === 'dead')) {
        this.#lookLater();
        return;
      }
      this.#owners = [];
      this.#options.onGone();
    });
  }
}
