// Counts who logs how much, for `linod log stats`.

import { type LevelName, LogLevels } from '../../base/log-levels.js';
import { parseNote } from '../writer/ledger.js';
import { readChunks } from './chunks.js';
import type { LogPart } from './files.js';
import { detach, type Found, RecordScanner } from './records.js';

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
  /**
   * The minute with the most records: its beginning, in ms since 1970, and their number. Null without
   * records.
   */
  readonly busiest: { readonly minute: number; readonly records: number } | null;
  /** From the lowest to the highest; only levels with records. */
  readonly levels: readonly Amount[];
  /** Those with the most bytes first. */
  readonly loggers: readonly Amount[];
  readonly senders: readonly Amount[];
  /** Records that the writer reported as lost in these files, even if they arrived later. */
  readonly lost: readonly { readonly sender: string; readonly records: number }[];
  /** Lines that are no records, and torn records. */
  readonly strays: number;
  /** Files that could not be read to their end, and why. */
  readonly unreadable: readonly { readonly file: string; readonly problem: string }[];
}

export interface StatsOptions {
  /** Only records that were logged then or later, in ms since 1970. */
  readonly since?: number | undefined;
  /** The site's time zone, for times without an offset. Default UTC. */
  readonly timezone?: string | undefined;
}

/**
 * Counts the records of log files in one pass. Memory depends on how many senders, loggers and minutes there
 * are.
 */
export async function logStats(parts: readonly LogPart[], options: StatsOptions = {}): Promise<LogStats> {
  const { since = Number.NEGATIVE_INFINITY } = options;
  const count = new Count(since);
  for (const part of parts) {
    // A file that has not changed since then holds nothing that was logged since then.
    if (part.changedAt < since - clockSlackMs) continue;
    const scanner = new RecordScanner(options.timezone ?? 'UTC');
    try {
      for await (const chunk of readChunks(part.path)) {
        for (const found of scanner.scan(chunk)) count.take(found, chunk.bytes);
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      count.unreadable.push({ file: part.path, problem });
    }
  }
  return count.stats();
}

const clockSlackMs = 60_000;
const minuteMs = 60_000;

interface Sum extends Amount {
  records: number;
  bytes: number;
  first: number;
  last: number;
  readonly levels: Partial<Record<LevelName, number>>;
}

class Count {
  readonly unreadable: Array<{ file: string; problem: string }> = [];
  readonly #since: number;
  readonly #all = newSum('');
  readonly #levels = new Map<string, Sum>();
  readonly #senders = new Map<string, Sum>();
  readonly #loggers = new Map<string, Sum>();
  readonly #lost = new Map<string, number>();
  readonly #minutes = new Map<number, number>();
  #strays = 0;

  constructor(since: number) {
    this.#since = since;
  }

  take(found: Found, bytes: Buffer): void {
    if (found.kind !== 'record') {
      this.#strays++;
      return;
    }
    const { head, instant, start, end } = found;
    if (instant < this.#since) return;
    const { level, sender, logger } = head;
    if (sender === undefined) {
      const note = parseNote(bytes.toString('utf8', start, end));
      if (note !== undefined && 'from' in note) {
        this.#lost.set(note.sender, (this.#lost.get(note.sender) ?? 0) + note.to - note.from + 1);
      }
      return;
    }
    for (const sum of [
      this.#all,
      of(this.#levels, level),
      of(this.#senders, sender),
      of(this.#loggers, logger),
    ]) {
      add(sum, instant, end - start, level);
    }
    const minute = Math.floor(instant / minuteMs) * minuteMs;
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + 1);
  }

  stats(): LogStats {
    const { records, bytes, first, last } = this.#all;
    return {
      records,
      bytes,
      first: records === 0 ? null : first,
      last: records === 0 ? null : last,
      busiest: this.#busiest(),
      levels: Array.from(LogLevels, ({ value }) => this.#levels.get(value)).filter(
        (sum) => sum !== undefined,
      ),
      loggers: loudestFirst(this.#loggers),
      senders: loudestFirst(this.#senders),
      lost: [...this.#lost].map(([sender, records]) => ({ sender, records })),
      strays: this.#strays,
      unreadable: this.unreadable,
    };
  }

  #busiest(): LogStats['busiest'] {
    let busiest: { minute: number; records: number } | null = null;
    for (const [minute, records] of this.#minutes) {
      if (busiest === null || records > busiest.records) busiest = { minute, records };
    }
    return busiest;
  }
}

function newSum(name: string): Sum {
  const never = Number.POSITIVE_INFINITY;
  return { name, records: 0, bytes: 0, first: never, last: -never, levels: {} };
}

function of(sums: Map<string, Sum>, name: string): Sum {
  let sum = sums.get(name);
  if (sum === undefined) {
    sum = newSum(detach(name));
    sums.set(sum.name, sum);
  }
  return sum;
}

function add(sum: Sum, instant: number, bytes: number, level: LevelName): void {
  sum.records++;
  sum.bytes += bytes;
  sum.first = Math.min(sum.first, instant);
  sum.last = Math.max(sum.last, instant);
  sum.levels[level] = (sum.levels[level] ?? 0) + 1;
}

function loudestFirst(sums: ReadonlyMap<string, Sum>): Sum[] {
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
}
