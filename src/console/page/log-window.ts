// The lines of the log that a page holds: a bounded window that moves through the log and follows its end.

import { signal } from '@preact/signals';
import type { LogEvent, LogLine, LogPage } from '../api.js';
import { get } from './api.js';
import { Live } from './live.js';
import { type LogItem, LogQueue } from './log-queue.js';
import { onLog } from './stream.js';

/** What a page holds at most: more than a burst of lines, so that none is gone before it was seen. */
const maxItems = 1500;
const pageLines = 300;

export class LogWindow extends Live {
  readonly items = signal<readonly LogItem[]>([]);
  readonly isLoaded = signal(false);
  /** Whether new lines are added as they come. */
  readonly isFollowing = signal(false);
  /** How many lines were left out since the page was opened. */
  readonly leftOut = signal(0);
  readonly #filter: string;
  /** What to load: the lines around a position, those before or behind the window, or the end of the log. */
  #wanted: 'around' | 'earlier' | 'later' | 'end' | null;
  readonly #line: string;
  #before: string | null = null;
  #after: string | null = null;
  #isEnd = false;
  #omissions = 0;
  #unfollow = (): void => undefined;
  readonly #queue = new LogQueue(
    (items, after) => {
      this.#after = after;
      this.leftOut.value += leftOutOf(items);
      this.#append(items);
    },
    (then) => requestAnimationFrame(then),
  );

  /**
   * @param filter as a query, which the server checks
   * @param line the id of a line to show with its surroundings; empty for the end of the log
   */
  constructor(filter: string, line: string) {
    super([]);
    this.#filter = filter;
    this.#line = line;
    this.#wanted = line === '' ? 'end' : 'around';
  }

  get hasEarlier(): boolean {
    return this.#before !== null;
  }

  get hasLater(): boolean {
    return !this.#isEnd && this.#after !== null;
  }

  override start(): () => void {
    const stop = super.start();
    return () => {
      stop();
      this.pause();
    };
  }

  /** Follows the end of the log, if the window has reached it. */
  follow(): void {
    if (this.isFollowing.peek() || !this.#isEnd) return;
    this.isFollowing.value = true;
    this.#unfollow = onLog(this.#filter, this.#after ?? '', (event, id) => this.#add(event, id));
  }

  /** New lines stay on the server until {@link follow}. Those that are not drawn come again. */
  pause(): void {
    this.isFollowing.value = false;
    this.#queue.clear();
    this.#unfollow();
    this.#unfollow = () => undefined;
  }

  /** Moves the window to the end of the log, and follows it. */
  toEnd(): void {
    if (this.isLoaded.peek() && !this.hasLater) this.follow();
    else this.#want('end');
  }

  loadEarlier(): void {
    if (this.hasEarlier) this.#want('earlier');
  }

  loadLater(): void {
    if (this.hasLater) this.#want('later');
  }

  #want(wanted: 'earlier' | 'later' | 'end'): void {
    // Whoever scrolls on asks again.
    if (this.#wanted !== null && wanted !== 'end') return;
    this.#wanted = wanted;
    this.loadMore();
  }

  protected override async load(abort: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === null) return;
    const query = new URLSearchParams(this.#filter);
    query.set('limit', String(pageLines));
    if (wanted === 'earlier') query.set('before', this.#before ?? '');
    if (wanted === 'later') query.set('after', this.#after ?? '');
    const around = new URLSearchParams({ id: this.#line, lines: String(pageLines / 2) });
    const page = await get<LogPage>(wanted === 'around' ? `log/around?${around}` : `log?${query}`, abort);
    if (abort.aborted) return;
    if (this.#wanted === wanted) this.#wanted = null;
    if (wanted !== 'later') this.#before = page.before;
    if (wanted !== 'earlier') this.#moveEnd(page);
    if (wanted === 'earlier') this.#prepend(page.lines);
    else if (wanted === 'later') this.#append(page.lines);
    else this.items.value = page.lines;
    this.isLoaded.value = true;
    if (wanted === 'end') this.follow();
  }

  #moveEnd({ after, isEnd }: Pick<LogPage, 'after' | 'isEnd'>): void {
    this.#after = after;
    this.#isEnd = isEnd;
  }

  #add({ lines, omitted }: LogEvent, id: string): void {
    this.#queue.add(omitted === 0 ? lines : [{ id: `${id}-${this.#omissions++}`, omitted }, ...lines], id);
  }

  #append(items: readonly LogItem[]): void {
    if (items.length === 0) return;
    const all = [...this.items.peek(), ...items];
    const kept = all.slice(-maxItems);
    if (kept.length < all.length) this.#before = lineOf(kept)?.id ?? this.#before;
    this.items.value = kept;
  }

  #prepend(items: readonly LogItem[]): void {
    const all = [...items, ...this.items.peek()];
    const dropped = lineOf(all.slice(maxItems));
    if (dropped !== undefined) this.#moveEnd({ after: dropped.id, isEnd: false });
    this.items.value = all.slice(0, maxItems);
  }
}

/** How many lines were left out, as far as that is known. */
function leftOutOf(items: readonly LogItem[]): number {
  return items.reduce((sum, item) => sum + ('text' in item ? 0 : (item.omitted ?? 0)), 0);
}

/** The first line. */
function lineOf(items: readonly LogItem[]): LogLine | undefined {
  return items.find((item) => 'text' in item);
}
