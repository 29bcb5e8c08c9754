// A long list that comes in parts, of which those on the screen stay current.

import { computed, signal } from '@preact/signals';
import type { Page, Topic } from '../api.js';
import { get } from './api.js';
import { Live, useLive } from './live.js';

/** Rows of one part. */
const partRows = 200;

/** Gets the list `api/PATH`, which is a Page, and gets its visible parts again when one of the topics changes. */
export function usePagedList<Row>(path: string, topics: readonly Topic[]): PagedList<Row> {
  // Another query is another list.
  return useLive(() => new PagedList<Row>(path, topics), path);
}

interface Part<Row> {
  /** The cursor that leads to it. */
  readonly after: string | null;
  readonly page: Page<Row>;
  /** Whether it was loaded before the last change. */
  readonly isOld: boolean;
}

export class PagedList<Row> extends Live {
  readonly #parts = signal<ReadonlyArray<Part<Row>>>([]);
  readonly rows = computed(() => this.#parts.value.flatMap(({ page }) => page.rows));
  /** The newest part; undefined until the first is loaded. */
  readonly end = computed(() => this.#parts.value.at(-1)?.page);
  readonly total = computed(() => this.#parts.value[0]?.page.total);
  readonly #path: string;
  #first = 0;
  #last = 0;

  constructor(path: string, topics: readonly Topic[]) {
    super(topics);
    this.#path = path + (path.includes('?') ? '&' : '?');
  }

  /** To be called with the rows that are on the screen. Loads more when the end is near. */
  readonly onView = (first: number, last: number): void => {
    if (first === this.#first && last === this.#last) return;
    this.#first = first;
    this.#last = last;
    if (this.#nextIndex() !== null) this.loadMore();
  };

  override async load(abort: AbortSignal, hasChanged: boolean): Promise<void> {
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
    let begin = 0;
    for (const [index, { page, isOld }] of parts.entries()) {
      const end = begin + page.rows.length;
      if ((isOld || !this.#fits(index)) && end >= this.#first && begin <= this.#last) return index;
      begin = end;
    }
    return this.end.peek()?.next !== null && begin - this.#last < partRows / 2 ? parts.length : null;
  }

  async #loadPart(index: number, abort: AbortSignal): Promise<void> {
    const parts = this.#parts.peek();
    const after = parts[index - 1]?.page.next ?? null;
    const query = new URLSearchParams({ limit: String(partRows), ...(after === null ? {} : { after }) });
    const page = await get<Page<Row>>(`${this.#path}${query}`, abort);
    // The parts behind it stay for the moment, so that the page does not get shorter under the reader.
    this.#parts.value = [...parts.slice(0, index), { after, page, isOld: false }, ...parts.slice(index + 1)];
  }
}
