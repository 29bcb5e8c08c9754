// The lines of the log that a page holds: a bounded window that moves through the log and follows its end.

import { signal } from '@preact/signals';
import type { LogEvent, LogLine, LogPage } from '../api.js';
import { ApiError, get, messageOf } from './api.js';
import { onLog } from './stream.js';

/** Lines that were left out, because there were too many. */
export interface Omitted {
  readonly id: string;
  /** Null for unknown many. */
  readonly omitted: number | null;
}

export type LogItem = LogLine | Omitted;

/** Neighbouring items that are drawn together. */
export interface LogBlock {
  readonly key: number;
  readonly items: readonly LogItem[];
}

const blockItems = 100;
/** What a page holds at most. */
const maxItems = 5000;
const maxLength = 8 * 1024 ** 2;
const pageLines = 300;
const retryMs = 2000;

export class LogWindow {
  readonly blocks = signal<readonly LogBlock[]>([]);
  readonly isLoaded = signal(false);
  /** Whether new lines are added as they come. */
  readonly isFollowing = signal(false);
  readonly error = signal<string | null>(null);
  readonly #filter: string;
  readonly #ended = new AbortController();
  #before: string | null = null;
  #after: string | null = null;
  #isEnd = false;
  #isLoading = false;
  #nextKey = 0;
  #unfollow = (): void => undefined;

  /**
   * @param filter as a query, which the server checks
   * @param line the id of a line to show with its surroundings; empty for the end of the log
   */
  constructor(filter: string, line: string) {
    this.#filter = filter;
    const around = new URLSearchParams({ id: line, lines: String(pageLines / 2) });
    if (line === '') this.toEnd();
    else void this.#load(`log/around?${around}`, (page) => this.#begin(page));
  }

  get hasEarlier(): boolean {
    return this.#before !== null;
  }

  get hasLater(): boolean {
    return !this.#isEnd && this.#after !== null;
  }

  /** Ends all loading. */
  close(): void {
    this.#ended.abort();
    this.pause();
  }

  /** Follows the end of the log, if the window has reached it. */
  follow(): void {
    if (this.isFollowing.peek() || !this.#isEnd || this.#ended.signal.aborted) return;
    this.isFollowing.value = true;
    this.#unfollow = onLog(this.#filter, this.#after ?? '', (event, id) => this.#add(event, id));
  }

  /** Moves the window to the end of the log, and follows it. */
  toEnd(): void {
    if (this.isLoaded.peek() && !this.hasLater) this.follow();
    else
      void this.#load(`log?limit=${pageLines}&${this.#filter}`, (page) => {
        this.#begin(page);
        this.follow();
      });
  }

  /** New lines stay on the server until {@link follow}. */
  pause(): void {
    this.isFollowing.value = false;
    this.#unfollow();
    this.#unfollow = () => undefined;
  }

  loadEarlier(): void {
    if (this.#before === null) return;
    void this.#load(`log?limit=${pageLines}&before=${this.#before}&${this.#filter}`, (page) => {
      this.#before = page.before;
      this.#show([...this.#blocksOf(page.lines), ...this.blocks.peek()], 'end');
    });
  }

  loadLater(): void {
    if (!this.hasLater) return;
    void this.#load(`log?limit=${pageLines}&after=${this.#after}&${this.#filter}`, (page) => {
      this.#moveEnd(page);
      this.#append(page.lines);
    });
  }

  #begin(page: LogPage): void {
    this.isLoaded.value = true;
    this.#before = page.before;
    this.#moveEnd(page);
    this.blocks.value = this.#blocksOf(page.lines);
  }

  #moveEnd({ after, isEnd }: LogPage): void {
    this.#after = after;
    this.#isEnd = isEnd;
  }

  #add({ lines, omitted }: LogEvent, id: string): void {
    this.#after = id;
    const isCut = omitted === null || omitted > 0;
    this.#append([...(isCut ? [{ id: `${id}-${this.#nextKey}`, omitted }] : []), ...lines]);
  }

  #append(items: readonly LogItem[]): void {
    if (items.length === 0) return;
    const blocks = this.blocks.peek();
    const last = blocks.at(-1);
    const room = last === undefined ? 0 : blockItems - last.items.length;
    const filled =
      last === undefined || room <= 0
        ? blocks
        : [...blocks.slice(0, -1), { key: last.key, items: [...last.items, ...items.slice(0, room)] }];
    this.#show([...filled, ...this.#blocksOf(items.slice(Math.max(0, room)))], 'begin');
  }

  #blocksOf(items: readonly LogItem[]): LogBlock[] {
    return Array.from({ length: Math.ceil(items.length / blockItems) }, (_, index) => ({
      key: this.#nextKey++,
      items: items.slice(index * blockItems, (index + 1) * blockItems),
    }));
  }

  /** Shows the blocks without those at the begin or the end that are too many. */
  #show(blocks: readonly LogBlock[], side: 'begin' | 'end'): void {
    const kept = [...blocks];
    let [count, length] = [0, 0];
    for (const { items } of kept) {
      count += items.length;
      length += lengthOf(items);
    }
    while (kept.length > 1 && (count > maxItems || length > maxLength)) {
      const dropped = side === 'begin' ? kept.shift() : kept.pop();
      const next = side === 'begin' ? kept[0]?.items : dropped?.items;
      const line = next?.find((item) => 'text' in item);
      if (dropped === undefined || line === undefined) break;
      count -= dropped.items.length;
      length -= lengthOf(dropped.items);
      if (side === 'begin') this.#before = line.id;
      else {
        this.#after = line.id;
        this.#isEnd = false;
      }
    }
    this.blocks.value = kept;
  }

  async #load(path: string, use: (page: LogPage) => void): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const { signal } = this.#ended;
    try {
      const page = await get<LogPage>(path, signal);
      this.#isLoading = false;
      if (signal.aborted) return;
      this.error.value = null;
      use(page);
    } catch (error) {
      this.#isLoading = false;
      if (signal.aborted) return;
      this.error.value = messageOf(error);
      if (error instanceof ApiError && error.isTemporary)
        setTimeout(() => signal.aborted || void this.#load(path, use), retryMs);
    }
  }
}

function lengthOf(items: readonly LogItem[]): number {
  return items.reduce((sum, item) => sum + ('text' in item ? item.text.length : 0), 0);
}
