// Loads again when something changed: one load at a time, none while the tab is hidden, later again after a failure.

import type { Topic } from '../api.js';
import { ApiError, messageOf } from './api.js';
import { clearStale, markStale } from './stale.js';
import { onChanged } from './stream.js';

/** Before the first attempt after a failure, in ms. Each further attempt waits twice as long. */
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;

interface RefresherOptions {
  readonly topics: readonly Topic[];
  /** `hasChanged`: whether the data may be another one than at the last load. */
  readonly load: (signal: AbortSignal, hasChanged: boolean) => Promise<void>;
  /** Null after a success. */
  readonly onError: (message: string | null) => void;
}

export class Refresher {
  readonly #options: RefresherOptions;
  readonly #unsubscribe: () => void;
  readonly #ended = new AbortController();
  #isLoading = false;
  #isWanted = false;
  #hasChanged = true;
  #failures = 0;
  #loadedAt = Date.now();
  /** A slow server is asked less often: it may be a worker whose rules would be late. */
  #restUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins with a first load. */
  constructor(options: RefresherOptions) {
    this.#options = options;
    this.#unsubscribe =
      options.topics.length === 0 ? () => undefined : onChanged(options.topics, this.request);
    this.request();
  }

  /** Asks for a load because something changed. Requests while one runs lead to one more. */
  readonly request = (): void => {
    this.#hasChanged = true;
    this.#plan(this.#restUntil - Date.now());
  };

  /** Asks for a load because more is shown. */
  readonly requestMore = (): void => this.#plan(0);

  /** Ends the load that runs. */
  stop(): void {
    this.#ended.abort();
    this.#unsubscribe();
    clearTimeout(this.#timer);
    clearStale(this);
  }

  #plan(delayMs: number): void {
    this.#isWanted = true;
    clearTimeout(this.#timer);
    if (this.#isLoading || this.#ended.signal.aborted) return;
    if (delayMs <= 0) void this.#run();
    else this.#timer = setTimeout(() => void this.#run(), delayMs);
  }

  async #run(): Promise<void> {
    // The stream asks again when the tab is shown.
    if (document.hidden && this.#options.topics.length > 0) return;
    const { load, onError } = this.#options;
    const hasChanged = this.#hasChanged;
    this.#isLoading = true;
    this.#isWanted = false;
    this.#hasChanged = false;
    const startedAt = Date.now();
    try {
      await load(this.#ended.signal, hasChanged);
      this.#isLoading = false;
      this.#failures = 0;
      this.#loadedAt = startedAt;
      this.#restUntil = Date.now() + 9 * (Date.now() - startedAt);
      clearStale(this);
      onError(null);
      if (this.#isWanted) this.#plan(this.#hasChanged ? this.#restUntil - Date.now() : 0);
    } catch (error) {
      this.#isLoading = false;
      this.#hasChanged ||= hasChanged;
      this.#onFailure(error);
    }
  }

  #onFailure(error: unknown): void {
    if (this.#ended.signal.aborted) return;
    this.#options.onError(messageOf(error));
    if (!(error instanceof ApiError) || !error.isTemporary) return;
    markStale(this, this.#loadedAt, error.message);
    this.#plan(Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures++));
  }
}
