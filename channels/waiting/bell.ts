// Tells those who wait that something changed; they look for themselves what it was.

export class Bell {
  readonly #waits = new Set<() => void>();

  /** Wakes all who wait now. */
  ring(): void {
    for (const wake of [...this.#waits]) wake();
  }

  /** Resolves at the next ring, or when the signal is aborted. */
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
