// A long list that comes in parts, of which those on the screen stay current.

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Page, Topic } from '../api.js';
import { get } from './api.js';
import { Refresher } from './refresher.js';

/** Rows of one part. */
const partRows = 200;

export interface PagedList<Row> {
  readonly rows: ReadonlySignal<readonly Row[]>;
  readonly total: ReadonlySignal<number | undefined>;
  readonly isLoaded: ReadonlySignal<boolean>;
  /** Whether more rows can be loaded. */
  readonly hasMore: ReadonlySignal<boolean>;
  /** How far into the past the server searched before it gave up; null for a complete list. */
  readonly searchedTo: ReadonlySignal<string | null>;
  readonly error: ReadonlySignal<string | null>;
  /** To be called with the rows that are on the screen. Loads more when the end is near. */
  readonly onView: (first: number, last: number) => void;
  readonly reload: () => void;
}

/** Gets the list `api/PATH`, which is a Page, and gets its visible parts again when one of the topics changes. */
export function usePagedList<Row>(path: string, topics: readonly Topic[] = []): PagedList<Row> {
  // Another query is another list.
  const list = useMemo(() => new PagedState<Row>(), [path]);
  const topicList = topics.join();
  useEffect(() => list.follow(path, topicList), [list, path, topicList]);
  return list;
}

interface Part<Row> {
  /** The cursor that leads to it. */
  readonly after: string | null;
  readonly page: Page<Row>;
  /** Whether it was loaded before the last change. */
  readonly isOld: boolean;
}

class PagedState<Row> implements PagedList<Row> {
  readonly #parts = signal<ReadonlyArray<Part<Row>>>([]);
  readonly rows = computed(() => this.#parts.value.flatMap(({ page }) => page.rows));
  readonly total = computed(() => this.#parts.value[0]?.page.total);
  readonly isLoaded = computed(() => this.#parts.value.length > 0);
  readonly hasMore = computed(() => this.#parts.value.at(-1)?.page.next != null);
  readonly searchedTo = computed(() => this.#parts.value.at(-1)?.page.searchedTo ?? null);
  readonly error = signal<string | null>(null);
  #path = '';
  #refresher: Refresher | undefined;
  #first = 0;
  #last = 0;

  readonly reload = (): void => this.#refresher?.request();

  readonly onView = (first: number, last: number): void => {
    if (first === this.#first && last === this.#last) return;
    this.#first = first;
    this.#last = last;
    if (this.#nextIndex() === null) return;
    this.#refresher?.requestMore();
  };

  follow(path: string, topicList: string): () => void {
    this.#path = path;
    const refresher = new Refresher({
      topics: topicList === '' ? [] : (topicList.split(',') as Topic[]),
      load: (abort, hasChanged) => this.#load(abort, hasChanged),
      onError: (message) => {
        this.error.value = message;
      },
    });
    this.#refresher = refresher;
    return () => refresher.stop();
  }

  async #load(abort: AbortSignal, hasChanged: boolean): Promise<void> {
    if (hasChanged) this.#parts.value = this.#parts.value.map((part) => ({ ...part, isOld: true }));
    for (let index = this.#nextIndex(); index !== null; index = this.#nextIndex()) {
      await this.#loadPart(index, abort);
    }
    // What is not on the screen and no longer fits is loaded again when it is scrolled to.
    const end = this.#parts.value.findIndex((_, index) => !this.#fits(index));
    if (end !== -1) this.#parts.value = this.#parts.value.slice(0, end);
  }

  /** Whether a part begins where the one before it ends. Otherwise rows would be there twice, or left out. */
  #fits(index: number): boolean {
    const parts = this.#parts.peek();
    return index === 0 || parts[index]?.after === parts[index - 1]?.page.next;
  }

  /** The first part on the screen, or close to it, that is missing, old or does not fit. */
  #nextIndex(): number | null {
    const parts = this.#parts.peek();
    if (parts.length === 0) return 0;
    let begin = 0;
    for (const [index, { page, isOld }] of parts.entries()) {
      const end = begin + page.rows.length;
      if ((isOld || !this.#fits(index)) && end >= this.#first && begin <= this.#last) return index;
      begin = end;
    }
    return this.hasMore.peek() && begin - this.#last < partRows / 2 ? parts.length : null;
  }

  async #loadPart(index: number, abort: AbortSignal): Promise<void> {
    const parts = this.#parts.peek();
    const after = index === 0 ? null : (parts[index - 1]?.page.next ?? null);
    const query = new URLSearchParams({ limit: String(partRows), ...(after === null ? {} : { after }) });
    const page = await get<Page<Row>>(`${this.#path}${this.#path.includes('?') ? '&' : '?'}${query}`, abort);
    // The parts behind it stay for the moment, so that the page does not get shorter under the reader.
    this.#parts.value = [...parts.slice(0, index), { after, page, isOld: false }, ...parts.slice(index + 1)];
  }
}
