// Data of one API call that stays current while a component shows it.

import { type Signal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Topic } from '../api.js';
import { get } from './api.js';
import { Refresher } from './refresher.js';

export interface Resource<T> {
  /** The last data that came, also after a failure; undefined before the first. */
  readonly data: Signal<T | undefined>;
  /** Why the last load failed, as a sentence. */
  readonly error: Signal<string | null>;
  /** When the data came, in ms since 1970. */
  readonly loadedAt: Signal<number | null>;
  /** Loads it again. */
  readonly reload: () => void;
}

/**
 * Gets `api/PATH` and gets it again when one of the topics changes. With another query the old data stays until the
 * new data comes.
 */
export function useResource<T>(path: string, topics: readonly Topic[] = []): Resource<T> {
  const [base] = path.split('?');
  // Another path is another thing, whose data must not be mixed.
  const state = useMemo(() => new ResourceState<T>(), [base]);
  const topicList = topics.join();
  useEffect(() => state.follow(path, topicList), [state, path, topicList]);
  return state;
}

class ResourceState<T> implements Resource<T> {
  readonly data = signal<T | undefined>(undefined);
  readonly error = signal<string | null>(null);
  readonly loadedAt = signal<number | null>(null);
  #refresher: Refresher | undefined;

  readonly reload = (): void => this.#refresher?.request();

  follow(path: string, topicList: string): () => void {
    const refresher = new Refresher({
      topics: topicList === '' ? [] : (topicList.split(',') as Topic[]),
      load: async (abort) => {
        this.data.value = await get<T>(path, abort);
        this.loadedAt.value = Date.now();
      },
      onError: (message) => {
        this.error.value = message;
      },
    });
    this.#refresher = refresher;
    return () => refresher.stop();
  }
}
