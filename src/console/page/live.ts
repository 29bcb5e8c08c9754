// What is loaded and loads again when something changed: one load at a time, none while the tab is hidden, later again
// after a failure.

import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Topic } from '../api.js';
import { ApiError, messageOf } from './api.js';
import { clearStale, markStale } from './stale.js';
import { onChanged } from './stream.js';

/** Before the first attempt after a failure, in ms. Each further attempt waits twice as long. */
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;

export abstract class Live {
  /** Why the last load failed, as a sentence. */
  readonly error = signal<string | null>(null);
  /** Aborted when the component that shows it is gone. */
  readonly #ended = new AbortController();
  readonly #topics: readonly Topic[];
  #isLoading = false;
  #isWanted = false;
  #hasChanged = true;
  #failures = 0;
  #loadedAt = Date.now();
  /** A slow server is asked less often. */
  #restUntil = 0;
  #timer = 0;

  constructor(topics: readonly Topic[]) {
    this.#topics = topics;
  }

  /** `hasChanged`: whether the data may be another one than at the last load. */
  protected abstract load(abort: AbortSignal, hasChanged: boolean): Promise<void>;

  /** Begins with a first load. Returns what ends it for good. */
  start(): () => void {
    const unsubscribe = onChanged(this.#topics, this.reload);
    this.reload();
    return () => {
      this.#ended.abort();
      unsubscribe();
      clearTimeout(this.#timer);
      clearStale(this);
    };
  }

  /** Loads again because something changed. Requests while a load runs lead to one more. */
  readonly reload = (): void => {
    this.#hasChanged = true;
    this.#plan(this.#restUntil - Date.now());
  };

  /** Loads because more is shown. */
  protected loadMore(): void {
    this.#plan(0);
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
    if (document.hidden && this.#topics.length > 0) return;
    const hasChanged = this.#hasChanged;
    const startedAt = Date.now();
    this.#isLoading = true;
    this.#isWanted = false;
    this.#hasChanged = false;
    try {
      await this.load(this.#ended.signal, hasChanged);
      this.#isLoading = false;
      this.#failures = 0;
      this.#loadedAt = startedAt;
      this.#restUntil = Date.now() + 2 * (Date.now() - startedAt);
      clearStale(this);
      this.error.value = null;
      if (this.#isWanted) this.#plan(this.#hasChanged ? this.#restUntil - Date.now() : 0);
    } catch (error) {
      this.#isLoading = false;
      this.#hasChanged ||= hasChanged;
      if (!this.#ended.signal.aborted) this.#onFailure(error);
    }
  }

  #onFailure(error: unknown): void {
    this.error.value = messageOf(error);
    if (!(error instanceof ApiError) || !error.isTemporary) return;
    markStale(this, this.#loadedAt, error.message);
    this.#plan(Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures++));
  }
}

/** Keeps something current while a component shows it. Another `key` is another thing. */
export function useLive<L extends Live>(make: () => L, key: string): L {
  const live = useMemo(make, [key]);
  useEffect(() => live.start(), [live]);
  return live;
}
