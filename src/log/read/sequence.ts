// Follows the numbers of one sender in the order of the log.

import type { Faults } from './faults.js';
import type { Position } from './position.js';

/** A line of a log file. */
export interface LinePosition {
  readonly file: string;
  readonly line: number;
}

/** A record of a log file, also when that is renamed. */
export interface RecordPosition extends LinePosition {
  readonly position: Position;
}

/** Missing numbers, and the record where that was noticed. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly noticed: RecordPosition;
}

/** Numbers `from` … `to`, and the line where the fault was noticed. */
export interface Numbers extends LinePosition {
  readonly from: number;
  readonly to: number;
}

/** Maximum gaps that are followed. Further damage is only counted. */
const mostGaps = 1000;

/**
 * Follows a sender's numbers. Reports doubled and disordered numbers at once, and missing ones at the end.
 * Memory is bounded, and grows with the damage only.
 */
export class Sequence {
  readonly sender: string;
  readonly epoch: string;
  /** Its first number in these files. */
  readonly first: number;
  /** The highest number that is present or reported as lost. */
  last: number;
  /** When its last record was logged, in ms since 1970. */
  lastInstant: number | undefined;
  /** Whole records. */
  records = 0;
  /** Records that are present more than once. */
  doubled = 0;
  /** How often a number follows a higher one. */
  disordered = 0;
  /** Records that are missing without a note. */
  missing = 0;
  /** Records that are reported as lost. */
  lost = 0;
  /** The missing numbers up to `last`; of too many, the newest. */
  #gaps: readonly Gap[] = [];
  #previous: number;
  readonly #faults: Faults;

  /** @param last the number before the first one */
  constructor(sender: string, epoch: string, last: number, faults: Faults) {
    this.sender = sender;
    this.epoch = epoch;
    this.first = last + 1;
    this.last = last;
    this.#previous = last;
    this.#faults = faults;
  }

  /** Adds the number of the next record. */
  take(number: number, instant: number, noticed: RecordPosition): void {
    this.records++;
    this.lastInstant = instant;
    if (number <= this.last) this.#takeLate(number, noticed);
    else if (number > this.last + 1) this.continueAfter(number - 1, noticed);
    this.last = Math.max(this.last, number);
    this.#previous = number;
  }

  /** A note says that everything up to this number was written before. What was not found is missing. */
  continueAfter(last: number, noticed: RecordPosition): void {
    if (last <= this.last) return;
    this.#gaps = [...this.#gaps, { from: this.last + 1, to: last, noticed }];
    this.missing += last - this.last;
    // A late record of the oldest gap counts as doubled from now on.
    if (this.#gaps.length > mostGaps) this.#gaps = this.#gaps.slice(1);
    this.last = last;
    this.#previous = last;
  }

  /** The writer reports these numbers as lost. */
  lose(from: number, to: number, noticed: RecordPosition): void {
    this.continueAfter(from - 1, noticed);
    this.lost += to - from + 1;
    for (const gap of this.#gaps)
      this.missing -= Math.max(0, Math.min(gap.to, to) - Math.max(gap.from, from) + 1);
    this.#gaps = this.#gaps.flatMap((gap) => without(gap, from, to));
    this.last = Math.max(this.last, to);
    this.#previous = this.last;
  }

  /** The missing numbers so far. A late record may still fill them. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  /** There are no more records, so the gaps are missing. */
  end(faults: Faults): void {
    const { sender, epoch } = this;
    for (const { from, to, noticed } of this.#gaps)
      faults.add({ kind: 'missing', sender, epoch, from, to, file: noticed.file, line: noticed.line });
  }

  /** The number is not above the last: the record is late or doubled. */
  #takeLate(number: number, { file, line }: RecordPosition): void {
    const { sender, epoch } = this;
    if (!this.#gaps.some(({ from, to }) => from <= number && number <= to)) {
      this.doubled++;
      this.#faults.add({ kind: 'doubled', sender, epoch, from: number, to: number, file, line });
      return;
    }
    this.missing--;
    this.#gaps = this.#gaps.flatMap((gap) => without(gap, number, number));
    if (number > this.#previous) return;
    this.disordered++;
    this.#faults.add({ kind: 'disordered', sender, epoch, number, after: this.#previous, file, line });
  }
}

/** The rest of a gap. */
function without(gap: Gap, from: number, to: number): Gap[] {
  if (gap.to < from || gap.from > to) return [gap];
  return [
    { ...gap, to: from - 1 },
    { ...gap, from: to + 1 },
  ].filter((part) => part.from <= part.to);
}
