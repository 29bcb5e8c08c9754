// A number of slots that are taken and given back: at most so many things at once.

import { WaitingQueue } from './waiting-queue.js';

export class Slots {
  readonly #free = new WaitingQueue<true>();

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.#free.put(true);
  }

  /** Takes a slot, waiting for one behind those who came before. Rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    await this.#free.take(signal);
  }

  /** Gives a slot back. */
  release(): void {
    this.#free.put(true);
  }
}
