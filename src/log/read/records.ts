// Groups the lines of a log into records.

import { parseHead } from '../format/formats.js';
import { Instants } from '../format/instants.js';
import type { Head } from '../format/line-format.js';
import type { Chunk } from './chunks.js';

/** A record, or other text. */
export type Found = (WholeRecord | TornRecord | Stray) & ByteRange;

interface ByteRange {
  /** Its first line in the file, from 1. */
  readonly line: number;
  /** Its bytes in the chunk, with the last newline. */
  readonly start: number;
  readonly end: number;
}

interface WholeRecord {
  readonly kind: 'record';
  readonly head: Head;
  /** When it was logged, in ms since 1970 UTC. */
  readonly instant: number;
}

/** A record without its end. */
interface TornRecord {
  readonly kind: 'torn';
  readonly head: Head;
}

/**
 * - `foreign`: a line of another program;
 * - `headless`: the continuation of a record whose beginning is missing;
 * - `cut`: a last line without its newline, which may have been anything.
 */
interface Stray {
  readonly kind: 'foreign' | 'headless' | 'cut';
  readonly head?: undefined;
}

const indent = '    ';

/**
 * Groups the lines of one file into records: a head and its continuation lines, which begin with four spaces.
 * Each line but the last ends in a space.
 */
export class RecordScanner {
  /** Lines that were read completely. */
  lines = 0;
  readonly #instants: Instants;

  /** @param timezone the site's, for times without an offset */
  constructor(timezone: string) {
    this.#instants = new Instants(timezone);
  }

  *scan({ bytes, isTail }: Chunk): Generator<Found> {
    // As latin1, the text has the offsets of the bytes.
    const text = bytes.toString('latin1');
    let open: (WholeRecord & ByteRange & { end: number }) | undefined;
    for (let start = 0, end = 0; start < text.length; start = end) {
      const newline = text.indexOf('\n', start);
      end = newline < 0 ? text.length : newline + 1;
      const line = this.lines + 1;
      if (newline >= 0) this.lines = line;
      const isUnfinished = newline < 0 || text[newline - 1] === ' ';
      const isIndented = text.startsWith(newline < 0 ? ' ' : indent, start);
      if (open !== undefined && isIndented) {
        if (isUnfinished) continue;
        open.end = end;
        yield open;
        open = undefined;
        continue;
      }
      if (open !== undefined) yield { ...open, kind: 'torn', end: start };
      open = undefined;
      const head = parseHead(text, start);
      const instant = head === undefined ? Number.NaN : this.#instants.of(head.time);
      // The beginning of a JSON line that was overwritten is no record.
      const isDamaged = head?.format.name === 'json' && newline >= 0 && text[newline - 1] !== '}';
      if (head === undefined || Number.isNaN(instant) || isDamaged) {
        const kind = newline < 0 && isTail ? 'cut' : isIndented ? 'headless' : 'foreign';
        yield { kind, line, start, end };
        continue;
      }
      const record = { kind: 'record' as const, head, instant, line, start, end };
      if (isUnfinished) open = record;
      else yield record;
    }
    if (open !== undefined) yield { ...open, kind: 'torn', end: text.length };
  }
}

/** Copies a name, since a substring keeps the whole text in memory. */
export function detach(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1');
}
