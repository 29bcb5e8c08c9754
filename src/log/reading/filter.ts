// Which records are asked for.

import type { Fields } from '../fields.js';
import { parseRecord } from '../formats/formats.js';
import { type LevelName, LogLevels } from '../levels.js';
import type { ReadHead } from './head.js';
import type { Name } from './names.js';
import { splitFields } from './trailing-fields.js';

/** What is asked for; what is left out matches everything. */
export interface Wanted {
  /** This level and those above. */
  readonly level?: LevelName | undefined;
  /** A logger and those below it: `shop` is also `shop.orders`. */
  readonly logger?: string | undefined;
  /** A sender as it stands in the log, `web[812]`, or all of a name, `web`. */
  readonly sender?: string | undefined;
  /** Logged then or later, in ms since 1970 UTC. */
  readonly since?: number | undefined;
  /** What a job has logged, and what was logged about it: records with a field `job`. */
  readonly job?: number | undefined;
  /** Records in which this stands; a pattern is tried on the whole record. */
  readonly text?: string | RegExp | undefined;
}

/** Looks at records as a scanner finds them. */
export class RecordFilter {
  readonly #wanted: Wanted;
  readonly #levelno: number;
  readonly #loggers = new Map<Name, boolean>();
  readonly #senders = new Map<Name, boolean>();
  readonly #text: Buffer | undefined;
  readonly #job: Buffer | undefined;
  /** Only records with a head can match. */
  readonly #needsHead: boolean;
  /** When the last record was logged; lines that are no record count as of then. */
  #instant = Number.NEGATIVE_INFINITY;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    const { level, logger, sender, job, text } = wanted;
    this.#levelno = level === undefined ? 0 : levelno(level);
    this.#text = typeof text === 'string' ? Buffer.from(text) : undefined;
    this.#job = job === undefined ? undefined : Buffer.from(String(job));
    this.#needsHead = [level, logger, sender, job].some((part) => part !== undefined);
  }

  /** Whether a record is asked for. */
  record(head: ReadHead, bytes: Buffer, start: number, end: number): boolean {
    const { logger, sender, since } = this.#wanted;
    this.#instant = head.instant;
    if (since !== undefined && head.instant < since) return false;
    if (this.#levelno > 10 && levelno(head.level) < this.#levelno) return false;
    if (logger !== undefined && !isOf(this.#loggers, head.logger, (name) => isBelow(name, logger)))
      return false;
    if (sender !== undefined) {
      if (head.sender === undefined || !isOf(this.#senders, head.sender, (name) => isFrom(name, sender)))
        return false;
    }
    return this.#hasText(bytes, start, end) && this.#isOfJob(bytes, start, end);
  }

  /** Whether text that is no record is asked for. */
  stray(bytes: Buffer, start: number, end: number): boolean {
    const { since } = this.#wanted;
    if (this.#needsHead || (since !== undefined && this.#instant < since)) return false;
    return this.#hasText(bytes, start, end);
  }

  #hasText(bytes: Buffer, start: number, end: number): boolean {
    const { text } = this.#wanted;
    if (this.#text !== undefined) return bytes.subarray(start, end).includes(this.#text);
    return !(text instanceof RegExp) || text.test(bytes.toString('utf8', start, end).trimEnd());
  }

  #isOfJob(bytes: Buffer, start: number, end: number): boolean {
    if (this.#job === undefined) return true;
    const part = bytes.subarray(start, end);
    if (!part.includes(this.#job) || !part.includes('job')) return false;
    return fieldsOf(part.toString())?.job === this.#wanted.job;
  }
}

function isOf(known: Map<Name, boolean>, name: Name, check: (text: string) => boolean): boolean {
  let is = known.get(name);
  if (is === undefined) {
    is = check(name.text);
    known.set(name, is);
  }
  return is;
}

function isBelow(name: string, logger: string): boolean {
  return name === logger || name.startsWith(`${logger}.`);
}

function isFrom(label: string, sender: string): boolean {
  return label === sender || label.startsWith(`${sender}[`);
}

function levelno(level: LevelName): number {
  return LogLevels.get(level)?.levelno ?? 0;
}

/** A record's fields, in whatever format. */
function fieldsOf(text: string): Fields | undefined {
  const record = parseRecord(text);
  return record && (record.fields ?? splitFields(record.message).fields);
}
