// What the memory layer has handed out on condition, and when each piece comes back.

/** Something that was handed out. */
export interface Loan<T> {
  readonly key: string;
  readonly item: T;
  /** Milliseconds since 1970. Changed by `Loans.extend` only. */
  endsAt: number;
}

export interface LoansOptions<T> {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of those of a key that are over, in the order in which they were handed out. They are no loans any more. */
  readonly onOver: (loans: ReadonlyArray<Loan<T>>) => void;
}

/** Calls every loan in when its time is over: by a timer, or sooner where somebody asks for the key. */
export class Loans<T> {
  readonly #options: LoansOptions<T>;
  readonly #byKey = new Map<string, LoansOfKey<T>>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: LoansOptions<T>) {
    this.#options = options;
  }

  add(loan: Loan<T>): void {
    let ofKey = this.#byKey.get(loan.key);
    if (ofKey === undefined) {
      ofKey = { loans: new Set(), noneOverBefore: Number.POSITIVE_INFINITY };
      this.#byKey.set(loan.key, ofKey);
    }
    ofKey.loans.add(loan);
    this.#expect(ofKey, loan.endsAt);
  }

  /** Moves the end of a loan; false when it was over. */
  extend(loan: Loan<T>, endsAt: number): boolean {
    const ofKey = this.#byKey.get(loan.key);
    if (ofKey === undefined || !ofKey.loans.has(loan)) return false;
    loan.endsAt = endsAt;
    this.#expect(ofKey, endsAt);
    return true;
  }

  /** Ends a loan in peace; false when it was over. */
  end(loan: Loan<T>): boolean {
    const ofKey = this.#byKey.get(loan.key);
    if (ofKey === undefined || !ofKey.loans.delete(loan)) return false;
    if (ofKey.loans.size === 0) this.#byKey.delete(loan.key);
    if (this.#byKey.size === 0) this.#cancelTimer();
    return true;
  }

  /** The keys under which there are loans. */
  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** The loans of a key, in the order in which they were handed out. */
  of(key: string): Loan<T>[] {
    return [...(this.#byKey.get(key)?.loans ?? [])];
  }

  /** Calls in what is over under a key. */
  collect(key: string): void {
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) return;
    const now = this.#options.now();
    if (now < ofKey.noneOverBefore) return;
    const over: Loan<T>[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const loan of ofKey.loans) {
      if (loan.endsAt <= now) over.push(loan);
      else next = Math.min(next, loan.endsAt);
    }
    ofKey.noneOverBefore = next;
    for (const loan of over) this.end(loan);
    this.#options.onOver(over);
  }

  /** Forgets all loans. */
  clear(): void {
    this.#byKey.clear();
    this.#cancelTimer();
  }

  #expect(ofKey: LoansOfKey<T>, endsAt: number): void {
    ofKey.noneOverBefore = Math.min(ofKey.noneOverBefore, endsAt);
    this.#wakeAt(endsAt);
  }

  #wakeAt(at: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#collectAll(), Math.max(1, at - this.#options.now()));
  }

  #collectAll(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    for (const key of [...this.#byKey.keys()]) this.collect(key);
    for (const { noneOverBefore } of this.#byKey.values()) this.#wakeAt(noneOverBefore);
  }

  #cancelTimer(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
  }
}

interface LoansOfKey<T> {
  readonly loans: Set<Loan<T>>;
  /** Ended and extended loans leave it as it is, so it may be too early, and never too late. Milliseconds since 1970. */
  noneOverBefore: number;
}
