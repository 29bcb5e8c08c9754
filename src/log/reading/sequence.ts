// The numbers of one sender in the order in which the log has them.

/** Numbers `from` … `to`, and the line where that was noticed. */
export interface Numbers {
  readonly from: number;
  readonly to: number;
  readonly file: string;
  readonly line: number;
}

/** A place of the log. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A number that comes behind a higher one, although nothing was told to be late. */
export interface Disorder extends Place {
  readonly number: number;
  readonly after: number;
}

interface Gap {
  from: number;
  to: number;
  /** The writer has said that these are lost. */
  isTold: boolean;
  readonly file: string;
  readonly line: number;
}

/** Damage beyond that is counted, and no more looked at in detail. */
const mostGaps = 1000;
const mostListed = 1000;

/**
 * Follows a sender's numbers, and knows at the end which are missing, doubled or out of order. Costs next to nothing while
 * each number is one more than the last; its memory grows with the damage only, and is bounded.
 */
export class Sequence {
  readonly sender: string;
  readonly epoch: string;
  /** The number with which it begins in these files. */
  readonly first: number;
  /** Whole records. */
  records = 0;
  /** Records that are there already. */
  doubled = 0;
  /** Places where a number comes behind a higher one. */
  disordered = 0;
  /** Records that were told to be lost and came all the same. */
  filled = 0;
  readonly doubles: Numbers[] = [];
  readonly disorders: Disorder[] = [];
  #high: number;
  #previous = 0;
  #isFilling = false;
  /** By number. What is not there, up to the highest. */
  #gaps: Gap[] = [];
  #forgotten = 0;
  #forgottenTold = 0;

  /** @param last the number behind which it begins */
  constructor(sender: string, epoch: string, last: number) {
    this.sender = sender;
    this.epoch = epoch;
    this.first = last + 1;
    this.#high = last;
    this.#previous = last;
  }

  /** The highest number that is there, or told to be lost. */
  get last(): number {
    return this.#high;
  }

  /** Takes the number of the next record. */
  take(number: number, file: string, line: number): void {
    this.records++;
    if (number === this.#high + 1) {
      this.#high = number;
      this.#isFilling = false;
    } else if (number > this.#high) this.#jump(number, { file, line });
    else this.#fill(number, { file, line });
    this.#previous = number;
  }

  /** Everything up to this number was written before this place; what was not met is missing. */
  goOn(last: number, { file, line }: Place): void {
    if (last <= this.#high) return;
    this.#open({ from: this.#high + 1, to: last, isTold: false, file, line });
    this.#high = last;
    this.#previous = last;
  }

  /** The writer says that these numbers cannot come any more. */
  tell(from: number, to: number, { file, line }: Place): void {
    if (to < from) return;
    if (from > this.#high + 1) this.#open({ from: this.#high + 1, to: from - 1, isTold: false, file, line });
    this.#gaps = this.#gaps.flatMap((gap) => toldPart(gap, from, to));
    if (to > this.#high) {
      this.#open({ from: Math.max(from, this.#high + 1), to, isTold: true, file, line });
      this.#high = to;
      this.#previous = to;
    }
  }

  /** Records that are not there, and nobody has said why. */
  get missing(): number {
    return this.#forgotten + sizeOf(this.#gaps.filter((gap) => !gap.isTold));
  }

  /** Records that were told to be lost and did not come. */
  get told(): number {
    return this.#forgottenTold + sizeOf(this.#gaps.filter((gap) => gap.isTold));
  }

  /** The first thousand ranges of what is not there: what nobody told about, or what the writer told to be lost. */
  ranges(which: 'missing' | 'lost'): Numbers[] {
    return this.#gaps
      .filter((gap) => gap.isTold === (which === 'lost'))
      .slice(0, mostListed)
      .map(({ from, to, file, line }) => ({ from, to, file, line }));
  }

  #jump(number: number, { file, line }: Place): void {
    this.#open({ from: this.#high + 1, to: number - 1, isTold: false, file, line });
    this.#high = number;
    this.#isFilling = false;
  }

  /** A number below the highest: it was told to be lost, it is late, or it is there already. */
  #fill(number: number, place: Place): void {
    const index = this.#gaps.findIndex(({ to }) => to >= number);
    const gap = this.#gaps[index];
    if (gap === undefined || number < gap.from) {
      this.#double(number, place);
      return;
    }
    this.#close(index, gap, number);
    const isBack = number < this.#previous && !(gap.isTold && !this.#isFilling);
    this.#isFilling = gap.isTold;
    if (gap.isTold) this.filled++;
    if (!isBack) return;
    this.disordered++;
    if (this.disorders.length < mostListed) this.disorders.push({ number, after: this.#previous, ...place });
  }

  #double(number: number, { file, line }: Place): void {
    this.doubled++;
    const last = this.doubles.at(-1);
    if (last !== undefined && last.to === number - 1 && this.#previous === number - 1) {
      this.doubles[this.doubles.length - 1] = { ...last, to: number };
    } else if (this.doubles.length < mostListed) this.doubles.push({ from: number, to: number, file, line });
  }

  #open(gap: Gap): void {
    this.#gaps.push(gap);
    if (this.#gaps.length <= mostGaps) return;
    // What comes late for these is taken for doubled from now on.
    const old = this.#gaps.splice(0, mostGaps / 2);
    this.#forgotten += sizeOf(old.filter(({ isTold }) => !isTold));
    this.#forgottenTold += sizeOf(old.filter(({ isTold }) => isTold));
  }

  /** Takes a number out of a gap. */
  #close(index: number, gap: Gap, number: number): void {
    if (gap.from === gap.to) this.#gaps.splice(index, 1);
    else if (number === gap.from) gap.from++;
    else if (number === gap.to) gap.to--;
    else {
      this.#gaps.splice(index + 1, 0, { ...gap, from: number + 1 });
      gap.to = number - 1;
    }
  }
}

function toldPart(gap: Gap, from: number, to: number): Gap[] {
  if (gap.isTold || gap.to < from || gap.from > to) return [gap];
  const parts: Gap[] = [];
  if (gap.from < from) parts.push({ ...gap, to: from - 1 });
  parts.push({ ...gap, from: Math.max(gap.from, from), to: Math.min(gap.to, to), isTold: true });
  if (gap.to > to) parts.push({ ...gap, from: to + 1 });
  return parts;
}

function sizeOf(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}
