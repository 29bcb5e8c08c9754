// The file as the reader and the writer see it: there, open, and still the one at its path.

import { statSync } from 'node:fs';
import { openDatabase } from './database.js';
import { explain, LayerFileError } from './errors.js';
import { MessageStore } from './message-store.js';

/**
 * How often at most it is looked whether the path still leads to the open file. Who writes to a file that was
 * deleted meanwhile talks to nobody, and SQLite does not notice.
 */
const checkEveryMs = 100;

export class LayerFile {
  readonly path: string;
  readonly #onExpired: (key: string, count: number) => void;
  #store: MessageStore | undefined;
  #identity: string | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #wasOpen = false;

  /** Opens nothing yet. @param onExpired see `MessageStore` */
  constructor(path: string, onExpired: (key: string, count: number) => void) {
    this.path = path;
    this.#onExpired = onExpired;
  }

  /**
   * Does something with the open file, after opening it, or opening it anew when it was replaced.
   *
   * @throws LayerFileError
   */
  use<T>(work: (store: MessageStore) => T): T {
    try {
      return work(this.#current());
    } catch (error) {
      throw explain(this.path, error);
    }
  }

  /** Whether it is worth waiting after this error. A file that was open before may come back. */
  mayPass(error: unknown): boolean {
    return error instanceof LayerFileError && (error.passes || (error.isMissing && this.#wasOpen));
  }

  /** Closes the connection; the next `use` would open it again. Safe to call twice. */
  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  #current(): MessageStore {
    if (this.#store !== undefined && this.#isReplaced()) this.close();
    if (this.#store === undefined) {
      this.#store = new MessageStore(openDatabase(this.path), this.#onExpired);
      this.#identity = identify(this.path);
      this.#wasOpen = true;
    }
    return this.#store;
  }

  #isReplaced(): boolean {
    // Not the layer's clock: this one must go on when a test stops that one.
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs) return false;
    this.#checkedAt = now;
    return identify(this.path) !== this.#identity;
  }
}

/** The device and inode behind a path; undefined when there is nothing. */
function identify(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}
