// Whether there is anything under keys that are empty nearly always: many are asked for at once, so that a process
// with a hundred channels on which nothing happens does not ask a hundred times.

import type { Connection } from './connection.js';

/** Asks one host. */
export class Presence {
  readonly #commands: Connection;
  #asked = new Map<string, Array<(mayBeThere: boolean) => void>>();

  constructor(commands: Connection) {
    this.#commands = commands;
  }

  /**
   * Resolves, some time later, with false when there is nothing under the key. True says that it is worth a look: there
   * is something under one of the keys that were asked for together, or the question could not be put.
   */
  mayBeThere(key: string): Promise<boolean> {
    return new Promise((resolve) => {
      // In this turn of the event loop come all whose reads have ended together.
      if (this.#asked.size === 0) setImmediate(() => void this.#ask());
      const asking = this.#asked.get(key);
      if (asking === undefined) this.#asked.set(key, [resolve]);
      else asking.push(resolve);
    });
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    const asked = this.#asked;
    this.#asked = new Map();
    const found = await this.#commands.run((client) => client.exists(...asked.keys())).catch(() => undefined);
    for (const asking of asked.values()) for (const resolve of asking) resolve(found !== 0);
  }
}
