// Counts and remembers what happens to messages in this process. Called for each of them, so it does little.

import type { DroppedMessage } from '../layer.js';
import { messageKey } from '../layer.js';
import { type Receipt, type TraceEventName, traceEventNames } from '../xray.js';
import { EventRing } from './ring.js';
import { type Counts, countedName, Tally } from './tally.js';

/** Beyond so many names they are looked up anew, so that names which are used once do not pile up. */
const mostNames = 10_000;

const codes = Object.fromEntries(traceEventNames.map((name, code) => [name, code])) as Readonly<
  Record<TraceEventName, number>
>;
const { sent, received, redelivered } = codes;

/** `key` is always a channel's message key: its name, or that of a process-specific one up to the `!`. */
export class Recorder {
  readonly ring = new EventRing();
  readonly #now: () => number;
  /** By key; several keys may share one. */
  readonly #tallies = new Map<string, Tally>();
  #touched: Tally[] = [];
  #lastKey = '';
  #last = new Tally('', 0);
  #onChange: (() => void) | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Has the next thing that happens told, once. */
  tellNextChange(onChange: () => void): void {
    this.#onChange = onChange;
  }

  /** Something begins to happen, as somebody who waits for messages: called when a wait begins. */
  wake(): void {
    if (this.#onChange !== undefined) this.#tell();
  }

  /** A message was accepted. @param at milliseconds since 1970 */
  sent(key: string, high: number, low: number, at: number): void {
    const tally = this.#tally(key);
    tally.sent++;
    this.ring.put(sent, tally.number, high, low, at);
  }

  /** A message was handed out. */
  received(key: string, high: number, low: number, at: number, isAgain = false): void {
    const tally = this.#tally(key);
    tally.received++;
    if (isAgain) tally.redelivered++;
    this.ring.put(isAgain ? redelivered : received, tally.number, high, low, at);
  }

  /** A message that was handed out too often went to the dead letters. */
  buried(key: string, deadLetterKey: string, high: number, low: number): void {
    this.note('dead', key, high, low);
    this.#tally(deadLetterKey).sent++;
  }

  /** For messages without ids: so many were accepted. */
  countSent(key: string, count: number): void {
    this.#tally(key).sent += count;
  }

  /** For messages without ids: so many were handed out. */
  countReceived(key: string, count: number): void {
    this.#tally(key).received += count;
  }

  refused(key: string, count = 1): void {
    this.#tally(key).refused += count;
  }

  dropped(channel: string): void {
    this.#tally(messageKey(channel)).dropped++;
  }

  /** Something else happened to a message. */
  note(event: TraceEventName, key: string, high: number, low: number, at = this.#now()): void {
    this.ring.put(codes[event], this.#tally(key).number, high, low, at);
  }

  /** Has what a receipt is told go into the trace of its messages. */
  follow(receipt: Receipt | undefined, key: string): void {
    receipt?.notesGoTo((event, high, low, at) => this.note(event, key, high, low, at));
  }

  /** Counts what is dropped before it is told. */
  counting(onDrop: ((dropped: DroppedMessage) => void) | undefined): (dropped: DroppedMessage) => void {
    return (dropped) => {
      this.dropped(dropped.channel);
      onDrop?.(dropped);
    };
  }

  /** Whether something was counted since the counts were taken. */
  get hasCounts(): boolean {
    return this.#touched.length > 0;
  }

  /** Returns what was counted since the last time, of so many channels at most. */
  takeCounts(most: number): Array<readonly [channel: string, counts: Counts]> {
    return this.#touched.splice(0, most).map((tally) => [tally.name, tally.take()]);
  }

  /** Forgets what was counted and not taken. */
  forgetCounts(): void {
    this.takeCounts(this.#touched.length);
  }

  #tally(key: string): Tally {
    const tally = key === this.#lastKey ? this.#last : this.#find(key);
    if (!tally.isTouched) this.#touch(tally);
    return tally;
  }

  #find(key: string): Tally {
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      if (this.#tallies.size >= mostNames) {
        this.#tallies.clear();
        this.ring.clear();
      }
      const name = countedName(key);
      tally = this.#tallies.get(name) ?? new Tally(name, this.ring.enlist(name));
      this.#tallies.set(key, tally);
      this.#tallies.set(name, tally);
    }
    this.#lastKey = key;
    this.#last = tally;
    return tally;
  }

  #touch(tally: Tally): void {
    tally.isTouched = true;
    this.#touched.push(tally);
    this.wake();
  }

  #tell(): void {
    const tell = this.#onChange;
    this.#onChange = undefined;
    tell?.();
  }
}
