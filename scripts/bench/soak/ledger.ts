// What was sent and not received yet, to tell what is lost or doubled.

/** Numbers the messages of one kind of work and crosses them off. Holds only what is under way. */
export class Ledger {
  readonly #outstanding = new Set<number>();
  #sent = 0;
  #doubled = 0;

  /** The number of the next message. */
  next(): number {
    this.#outstanding.add(++this.#sent);
    return this.#sent;
  }

  /** One that was received, or acknowledged where that is what counts. */
  take(number: unknown): void {
    if (!this.#outstanding.delete(Number(number))) this.#doubled++;
  }

  /** How many were sent in all. */
  get sent(): number {
    return this.#sent;
  }

  /** How many of them are on their way; lost, when nothing comes any more. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** How many came that were not on their way: a second time, or never sent. */
  get doubled(): number {
    return this.#doubled;
  }
}
