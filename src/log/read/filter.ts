// Selects records.

import { type LevelName, LogLevels } from '../../base/log-levels.js';
import type { Fields } from '../fields.js';
import { parseRecord } from '../format/formats.js';
import type { Head, ParsedRecord } from '../format/line-format.js';
import type { Found } from './records.js';

/** The conditions. An omitted one matches everything. */
export interface Wanted {
  /** This level and those above. */
  readonly level?: LevelName | undefined;
  /** A logger and those below it: `shop` is also `shop.orders`. */
  readonly logger?: string | undefined;
  /** A sender as it stands in the log, `web[812]`, or all of a name, `web`. */
  readonly sender?: string | undefined;
  /** Logged at this time or later, in ms since 1970. */
  readonly since?: number | undefined;
  /** Logged before this time, in ms since 1970. */
  readonly until?: number | undefined;
  /** Records of a job and about it: those with a field `job`. */
  readonly job?: number | undefined;
  /** Text that the record contains, or a pattern for the whole record. */
  readonly text?: string | RegExp | undefined;
}

/** A record, or lines that do not belong to one. */
export interface Shown {
  /** All of its lines, without the last newline. */
  readonly text: string;
  /** Undefined for lines that do not belong to a record. */
  readonly level: LevelName | undefined;
}

/** A match with what its head says; undefined for lines that do not belong to a record. */
export interface Picked extends Shown {
  readonly head?: Head | undefined;
  /** When it was logged, in ms since 1970. */
  readonly instant?: number | undefined;
}

/** Picks the records of one file, in its order. */
export class RecordFilter {
  readonly #wanted: Wanted;
  readonly #levelno: number;
  /** Only records with a head can match. */
  readonly #needsHead: boolean;
  /** When the last record was logged. Other lines get this time. */
  #instant = Number.NEGATIVE_INFINITY;

  constructor(wanted: Wanted) {
    const { level, logger, sender, job } = wanted;
    this.#wanted = wanted;
    this.#levelno = level === undefined ? 0 : levelno(level);
    this.#needsHead = [level, logger, sender, job].some((part) => part !== undefined);
  }

  /** The match to show; undefined if the conditions do not hold. */
  pick(found: Found, bytes: Buffer): Picked | undefined {
    if (found.kind === 'record') this.#instant = found.instant;
    const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = this.#wanted;
    if (this.#instant < since || this.#instant >= until) return undefined;
    if (found.kind === 'record' ? !this.#hasHead(found) : this.#needsHead) return undefined;
    const text = bytes.toString('utf8', found.start, found.end).replace(/\n$/, '');
    if (!this.#hasText(text) || !this.#isOfJob(text)) return undefined;
    if (found.kind !== 'record') return { text, level: undefined };
    return { text, level: found.head.level, head: found.head, instant: found.instant };
  }

  #hasHead({ head }: Extract<Found, { kind: 'record' }>): boolean {
    const { logger, sender } = this.#wanted;
    if (levelno(head.level) < this.#levelno) return false;
    if (logger !== undefined && head.logger !== logger && !head.logger.startsWith(`${logger}.`)) return false;
    return sender === undefined || head.sender === sender || head.sender?.startsWith(`${sender}[`) === true;
  }

  #hasText(record: string): boolean {
    const { text } = this.#wanted;
    if (text === undefined) return true;
    return typeof text === 'string' ? record.includes(text) : text.test(record);
  }

  #isOfJob(record: string): boolean {
    const { job } = this.#wanted;
    if (job === undefined) return true;
    return record.includes('job') && record.includes(String(job)) && contentOf(record)?.fields?.job === job;
  }
}

function levelno(level: LevelName): number {
  return LogLevels.get(level)?.levelno ?? 0;
}

/**
 * The parts of a record, in any format. In the formats for people, a JSON object at the end of the text
 * counts as the fields.
 */
export function contentOf(record: string): ParsedRecord | undefined {
  const parsed = parseRecord(record);
  if (parsed === undefined || parsed.format.name === 'json' || parsed.format.name === 'logfmt') return parsed;
  return { ...parsed, ...splitFields(parsed.message) };
}

/** The fields stand at the end of the first line. */
function splitFields(message: string): { readonly message: string; readonly fields?: Fields } {
  const [line = ''] = message.split('\n', 1);
  if (!line.endsWith('}')) return { message };
  for (let at = line.indexOf('{"'); at >= 0; at = line.indexOf('{"', at + 1)) {
    try {
      const fields: Fields = JSON.parse(line.slice(at));
      return { message: line.slice(0, at).trimEnd() + message.slice(line.length), fields };
    } catch {
      // Braces of the message.
    }
  }
  return { message };
}
