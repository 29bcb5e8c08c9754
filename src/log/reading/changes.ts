// Waiting until something happens to a file.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A notice of the file system may be lost; the file is looked at again after this long. */
const lookMs = 500;

/** Watches a file, whether it is there or not. */
export class FileChanges {
  readonly #path: string;
  #watcher: FSWatcher | undefined;
  #hasChanged = false;
  #wake: () => void = () => {};

  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when something has happened to the file since the last call, after half a second, or when aborted. */
  async next(signal: AbortSignal): Promise<void> {
    this.#watch();
    if (this.#hasChanged || signal.aborted) {
      this.#hasChanged = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lookMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
    signal.removeEventListener('abort', this.#wake);
    this.#wake = () => {};
    this.#hasChanged = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(dirname(this.#path), (_event, name) => {
        if (name !== basename(this.#path)) return;
        this.#hasChanged = true;
        this.#wake();
      });
      this.#watcher.on('error', () => this.close());
    } catch {
      // No such directory yet: the timer looks again.
    }
  }
}
