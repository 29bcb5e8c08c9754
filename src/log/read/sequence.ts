// The numbers of one sender in the order in which the log has them.

import type { Faults } from './faults.js';

/** A position of the log. */
export interface LinePosition {
  readonly file: string;
  readonly line: number;
}

/** Numbers `from` … `to`, and the line where that was noticed. */
export interface Numbers extends LinePosition {
  readonly from: number;
  readonly to: number;
}

/** Damage beyond that is counted, and no more looked at in detail. */
const mostGaps = 1000;

/**
 * Follows a sender's numbers, and knows at the end which are missing; those that are doubled or out of order it reports at
 * once. Costs next to nothing while each number is one more than the last; its memory grows with the damage only, and is bounded.
 */
export class Sequence {
  readonly sender: string;
  readonly epoch: string;
  /** The number with which it begins in these files. */
  readonly first: number;
  /** The highest number that is there, or told to be lost. */
  last: number;
  /** Whole records. */
  records = 0;
  /** Records that are there already. */
  doubled = 0;
  /** Places where a number comes behind a higher one. */
  disordered = 0;
  /** Records that are not there, and nobody has said why. */
  missing = 0;
  /** Records that were told to be lost. */
  lost = 0;
  /** What is not there, up to the last; of many, the newest. */
  #gaps: Numbers[] = [];
  #previous: number;
  readonly #faults: Faults;

  /** @param last the number behind which it begins */
  constructor(sender: string, epoch: string, last: number, faults: Faults) {
    this.sender = sender;
    this.epoch = epoch;
    this.first = last + 1;
    this.last = last;
    this.#previous = last;
    this.#faults = faults;
  }

  /** Takes the number of the next record. */
  take(number: number, file: string, line: number): void {
    this.records++;
    if (number <= this.last) this.#takeLate(number, { file, line });
    else if (number > this.last + 1) this.goOn(number - 1, { file, line });
    this.last = Math.max(this.last, number);
    this.#previous = number;
  }

  /** Everything up to this number was written before this position; what was not met is missing. */
  goOn(last: number, position: LinePosition): void {
    if (last <= this.last) return;
    this.#gaps.push({ from: this.last + 1, to: last, ...position });
    this.missing += last - this.last;
    // What comes late for the oldest is taken for doubled from now on.
    if (this.#gaps.length > mostGaps) this.#gaps.shift();
    this.last = last;
    this.#previous = last;
  }

  /** The writer says that these numbers cannot come any more. */
  lose(from: number, to: number, position: LinePosition): void {
    this.goOn(from - 1, position);
    this.lost += to - from + 1;
    for (const gap of this.#gaps)
      this.missing -= Math.max(0, Math.min(gap.to, to) - Math.max(gap.from, from) + 1);
    this.#gaps = this.#gaps.flatMap((gap) => without(gap, from, to));
    this.last = Math.max(this.last, to);
    this.#previous = this.last;
  }

  /** There are no more records: what has not come is missing. */
  end(): void {
    const { sender, epoch } = this;
    for (const gap of this.#gaps) this.#faults.add({ kind: 'missing', sender, epoch, ...gap });
  }

  /** A number that is not above the last: it is late, or there already. */
  #takeLate(number: number, position: LinePosition): void {
    const { sender, epoch } = this;
    if (!this.#gaps.some(({ from, to }) => from <= number && number <= to)) {
      this.doubled++;
      this.#faults.add({ kind: 'doubled', sender, epoch, from: number, to: number, ...position });
      return;
    }
    this.missing--;
    this.#gaps = this.#gaps.flatMap((gap) => without(gap, number, number));
    if (number > this.#previous) return;
    this.disordered++;
    this.#faults.add({ kind: 'disordered', sender, epoch, number, after: this.#previous, ...position });
  }
}

/** What is left of a gap. */
function without(gap: Numbers, from: number, to: number): Numbers[] {
  if (gap.to < from || gap.from > to) return [gap];
  return [
    { ...gap, to: from - 1 },
    { ...gap, from: to + 1 },
  ].filter((part) => part.from <= part.to);
}
