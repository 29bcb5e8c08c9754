// Wakes waiters when something has changed. They check themselves what it was.

export class Notifier {
  readonly #waits = new Set<() => void>();

  /** Wakes all current waiters. */
  notify(): void {
    for (const wake of [...this.#waits]) wake();
  }

  /** Resolves at the next `notify`, or when the signal is aborted. */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waits.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waits.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }
}
