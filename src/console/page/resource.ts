// Data of one API call that stays current while a component shows it.

import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Topic } from '../api.js';
import { get } from './api.js';
import { Live, useLive } from './live.js';

export class Resource<T> extends Live {
  /** The last data that came, also after a failure; undefined before the first. */
  readonly data = signal<T | undefined>(undefined);
  readonly path: string;

  constructor(path: string, topics: readonly Topic[]) {
    super(topics);
    this.path = path;
  }

  override async load(abort: AbortSignal): Promise<void> {
    this.data.value = await get<T>(this.path, abort);
  }
}

/**
 * Gets `api/PATH` and gets it again when one of the topics changes. With another query the old data stays until the
 * new data comes.
 */
export function useResource<T>(path: string, topics: readonly Topic[] = []): Resource<T> {
  const shown = useRef<Resource<T> | null>(null);
  const make = () => {
    const resource = new Resource<T>(path, topics);
    const { path: oldPath = '', data } = shown.current ?? {};
    if (oldPath.split('?')[0] === path.split('?')[0]) resource.data.value = data?.peek();
    return resource;
  };
  shown.current = useLive(make, `${path} ${topics}`);
  return shown.current;
}
