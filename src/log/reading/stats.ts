// How much is logged, by whom: what `linod log stats` tells.

import { type LevelName, LogLevels } from '../levels.js';
import { readBlocks } from './blocks.js';
import type { LogPart } from './files.js';
import { HeadReader, type ReadHead } from './head.js';
import type { Name } from './names.js';
import { readNote } from './notes.js';
import { Scanner, type ScanReader } from './scanner.js';

/** Records of one sender, logger or level. */
export interface Amount {
  readonly name: string;
  readonly records: number;
  readonly bytes: number;
  /** When the earliest and the latest were logged, in ms since 1970 UTC. */
  readonly first: number;
  readonly last: number;
  readonly levels: Readonly<Partial<Record<LevelName, number>>>;
}

/** What is in a log. The writer's own notes do not count. */
export interface LogStats {
  readonly records: number;
  readonly bytes: number;
  /** When the earliest and the latest were logged, in ms since 1970 UTC; null when there are no records. */
  readonly first: number | null;
  readonly last: number | null;
  /** The minute in which most records were logged: its begin, in ms, and how many. Null when there are no records. */
  readonly busiest: { readonly minute: number; readonly records: number } | null;
  /** From the lowest to the highest; only those that there are. */
  readonly levels: readonly Amount[];
  /** Those with the most bytes first. */
  readonly loggers: readonly Amount[];
  readonly senders: readonly Amount[];
  /** What the writer told to be lost in these files, whether it came later or not. */
  readonly told: readonly { readonly sender: string; readonly records: number }[];
  /** Lines that are no records, and torn records. */
  readonly strays: number;
  /** Files that could not be read to their end, and why. */
  readonly unreadable: readonly { readonly file: string; readonly problem: string }[];
}

export interface StatsOptions {
  /** Only what was logged then or later, in ms. */
  readonly since?: number | undefined;
  /** The site's, for times that do not tell their offset. Default UTC. */
  readonly timezone?: string | undefined;
}

/** Counts the records of log files in one pass. Memory depends on how many senders, loggers and minutes there are. */
export async function logStats(parts: readonly LogPart[], options: StatsOptions = {}): Promise<LogStats> {
  const { since = Number.NEGATIVE_INFINITY } = options;
  const count = new Count(since);
  const head = new HeadReader(options.timezone);
  for (const part of parts) {
    // What was not changed since then has nothing that was logged since then.
    if (part.changedAt < since - clockSlackMs) continue;
    const scanner = new Scanner(count, head);
    try {
      for await (const block of readBlocks(part.path)) scanner.feed(block);
      scanner.finish();
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      count.unreadable.push({ file: part.path, problem });
    }
  }
  return count.stats();
}

const clockSlackMs = 60_000;
const minuteMs = 60_000;
/** Two months of minutes: what is beyond them does not count for the busiest one. */
const mostMinutes = 100_000;

interface Sum {
  records: number;
  bytes: number;
  first: number;
  last: number;
  readonly levels: Map<LevelName, number>;
}

class Count implements ScanReader {
  readonly unreadable: Array<{ file: string; problem: string }> = [];
  readonly #since: number;
  readonly #all = newSum();
  readonly #levels = new Map<LevelName, Sum>();
  readonly #senders = new Map<Name, Sum>();
  readonly #loggers = new Map<Name, Sum>();
  readonly #told = new Map<string, number>();
  readonly #minutes = new Map<number, number>();
  #strays = 0;
  #minute = Number.NaN;
  #inMinute = 0;

  constructor(since: number) {
    this.#since = since;
  }

  record(head: ReadHead, bytes: Buffer, start: number, end: number): void {
    const { instant, level, sender, logger } = head;
    if (instant < this.#since) return;
    if (sender === undefined) {
      const note = readNote(head, bytes, start, end);
      if (note?.kind === 'lost') {
        this.#told.set(note.sender, (this.#told.get(note.sender) ?? 0) + note.to - note.from + 1);
      }
      return;
    }
    const length = end - start;
    add(this.#all, instant, length);
    add(sumOf(this.#levels, level), instant, length);
    addLeveled(sumOf(this.#senders, sender), instant, length, level);
    addLeveled(sumOf(this.#loggers, logger), instant, length, level);
    const minute = Math.floor(instant / minuteMs);
    if (minute !== this.#minute) this.#endMinute(minute);
    this.#inMinute++;
  }

  stray(): void {
    this.#strays++;
  }

  stats(): LogStats {
    this.#endMinute(Number.NaN);
    const { records, bytes, first, last } = this.#all;
    const order = Array.from(LogLevels, ({ value }) => value);
    return {
      records,
      bytes,
      first: records === 0 ? null : first,
      last: records === 0 ? null : last,
      busiest: this.#busiest(),
      levels: order.flatMap((level) => {
        const sum = this.#levels.get(level);
        return sum === undefined
          ? []
          : [amountOf(level, { ...sum, levels: new Map([[level, sum.records]]) })];
      }),
      loggers: amountsOf(this.#loggers),
      senders: amountsOf(this.#senders),
      told: [...this.#told].map(([sender, records]) => ({ sender, records })),
      strays: this.#strays,
      unreadable: this.unreadable,
    };
  }

  #endMinute(next: number): void {
    const known = this.#minutes.get(this.#minute);
    if (this.#inMinute > 0 && (known !== undefined || this.#minutes.size < mostMinutes)) {
      this.#minutes.set(this.#minute, (known ?? 0) + this.#inMinute);
    }
    this.#minute = next;
    this.#inMinute = 0;
  }

  #busiest(): LogStats['busiest'] {
    let busiest: { minute: number; records: number } | null = null;
    for (const [minute, records] of this.#minutes) {
      if (busiest === null || records > busiest.records) busiest = { minute: minute * minuteMs, records };
    }
    return busiest;
  }
}

function newSum(): Sum {
  const never = Number.POSITIVE_INFINITY;
  return { records: 0, bytes: 0, first: never, last: -never, levels: new Map() };
}

function sumOf<K>(sums: Map<K, Sum>, key: K): Sum {
  let sum = sums.get(key);
  if (sum === undefined) {
    sum = newSum();
    sums.set(key, sum);
  }
  return sum;
}

function add(sum: Sum, instant: number, bytes: number): void {
  sum.records++;
  sum.bytes += bytes;
  if (instant < sum.first) sum.first = instant;
  if (instant > sum.last) sum.last = instant;
}

function addLeveled(sum: Sum, instant: number, bytes: number, level: LevelName): void {
  add(sum, instant, bytes);
  sum.levels.set(level, (sum.levels.get(level) ?? 0) + 1);
}

function amountsOf(sums: ReadonlyMap<Name, Sum>): Amount[] {
  return [...sums].map(([name, sum]) => amountOf(name.text, sum)).sort((a, b) => b.bytes - a.bytes);
}

function amountOf(name: string, { levels, ...sum }: Sum): Amount {
  return { name, ...sum, levels: Object.fromEntries(levels) };
}
