// Messages that were taken ahead of a receiver that asks for the next one at once.
//
// Taking messages one by one costs a transaction each, and where another process writes between two of them, SQLite
// reads all pages anew for each. So for one that asks for the next message within the turn of the event loop in which
// it got the last, more and more are taken at once. What it does not ask for within that turn goes back, and it begins
// anew: one that does something with its messages has no more of them than it asked for.

import type { TakenMessage } from './message-store.js';

const mostAhead = 50;

/** The messages ahead under one key. */
export class ReadAhead {
  readonly #onTurnOver: () => void;
  #messages: TakenMessage[] = [];
  /** Whether messages were handed over in this turn, and none was asked for since. */
  #justServed = false;
  #more = 0;
  #isScheduled = false;

  /** @param onTurnOver called at the end of a turn in which messages were handed over */
  constructor(onTurnOver: () => void) {
    this.#onTurnOver = onTurnOver;
  }

  get length(): number {
    return this.#messages.length;
  }

  /** How many messages to take where so many are wanted. */
  most(wanted: number): number {
    return Math.max(wanted, Math.min(wanted + this.#more, mostAhead));
  }

  /** Somebody asks, and there are none. */
  noteAsked(): void {
    if (this.#justServed) this.#more = Math.min(Math.max(1, this.#more * 2), mostAhead);
    this.#justServed = false;
  }

  /** Messages were handed over, and these are left. */
  noteServed(left: readonly TakenMessage[]): void {
    this.#justServed = true;
    this.#messages.push(...left);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#justServed = false;
      this.#onTurnOver();
    });
  }

  /** Takes the first of them, at most `max`. */
  take(max: number): TakenMessage[] {
    return this.#messages.splice(0, max);
  }

  /** Nobody has asked for them: from now on no more are taken than are wanted. */
  beginAnew(): void {
    this.#more = 0;
  }

  /** Keeps what could not be put back. */
  keep(messages: readonly TakenMessage[]): void {
    this.#messages.unshift(...messages);
  }
}
