// Counts and remembers what happens to messages in this process. Called for each of them, so it does little.

import type { DroppedMessage } from '../layer.js';
import { messageKey } from '../layer.js';
import { type Receipt, type TraceEventName, traceEventNames } from '../xray.js';
import { EventRing } from './ring.js';
import { countsKeptMs } from './source.js';
import { type Counts, countedName, Tally } from './tally.js';

/** So many channels are counted by their names; those that come later are counted as `*`, until a day is over. */
const mostCounted = 1000;
const otherChannels = '*';

/** Beyond so many names they are looked up anew, so that names which are used once do not pile up. */
const mostNames = 10_000;

const codes = Object.fromEntries(traceEventNames.map((name, code) => [name, code])) as Readonly<
  Record<TraceEventName, number>
>;
const { sent, received, redelivered } = codes;

/** What is known of a key. */
interface Named {
  readonly tally: Tally;
  /** The number by which events name the channel. */
  readonly number: number;
}

/** `key` is always a channel's message key: its name, or that of a process-specific one up to the `!`. */
export class Recorder {
  readonly ring = new EventRing();
  readonly #now: () => number;
  /** By key; several keys may share one. */
  readonly #named = new Map<string, Named>();
  /** By the names under which channels are counted. */
  readonly #tallies = new Map<string, Tally>();
  #talliesSince: number;
  #uncollected: Tally[] = [];
  #lastKey = '';
  #last: Named = { tally: new Tally(''), number: 0 };
  #onChange: (() => void) | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.#talliesSince = now();
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
    const { tally, number } = this.#touched(key);
    tally.sent++;
    this.ring.put(sent, number, high, low, at);
  }

  /** A message was handed out. */
  received(key: string, high: number, low: number, at: number, isAgain = false): void {
    const { tally, number } = this.#touched(key);
    tally.received++;
    if (isAgain) tally.redelivered++;
    this.ring.put(isAgain ? redelivered : received, number, high, low, at);
  }

  /** A message that was handed out too often went to the dead letters. */
  buried(key: string, deadLetterKey: string, high: number, low: number): void {
    this.note('dead', key, high, low);
    this.#touched(deadLetterKey).tally.sent++;
  }

  /** For messages without ids: so many were accepted. */
  countSent(key: string, count: number): void {
    this.#touched(key).tally.sent += count;
  }

  /** For messages without ids: so many were handed out. */
  countReceived(key: string, count: number): void {
    this.#touched(key).tally.received += count;
  }

  refused(key: string, count = 1): void {
    this.#touched(key).tally.refused += count;
  }

  dropped(channel: string): void {
    this.#touched(messageKey(channel)).tally.dropped++;
  }

  /** Something else happened to a message. */
  note(event: TraceEventName, key: string, high: number, low: number, at = this.#now()): void {
    this.ring.put(codes[event], this.#touched(key).number, high, low, at);
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
    return this.#uncollected.length > 0;
  }

  /** Returns what was counted since the last time, of so many channels at most. */
  takeCounts(most: number): Array<readonly [channel: string, counts: Counts]> {
    return this.#uncollected.splice(0, most).map((tally) => [tally.name, tally.take()]);
  }

  /** Forgets what was counted and not taken. */
  forgetCounts(): void {
    this.takeCounts(this.#uncollected.length);
  }

  #touched(key: string): Named {
    const named = key === this.#lastKey ? this.#last : this.#find(key);
    if (!named.tally.isTouched) this.#touch(named.tally);
    return named;
  }

  #find(key: string): Named {
    let named = this.#named.get(key);
    if (named === undefined) {
      if (this.#named.size >= mostNames) {
        this.#named.clear();
        this.ring.clear();
      }
      const name = countedName(key);
      named = this.#named.get(name) ?? { tally: this.#tally(name), number: this.ring.enlist(name) };
      this.#named.set(key, named);
      this.#named.set(name, named);
    }
    this.#lastKey = key;
    this.#last = named;
    return named;
  }

  #tally(name: string): Tally {
    const known = this.#tallies.get(name);
    if (known !== undefined) return known;
    if (this.#tallies.size >= mostCounted) this.#forgetTallies();
    const counted = this.#tallies.size < mostCounted ? name : otherChannels;
    const tally = this.#tallies.get(counted) ?? new Tally(counted);
    this.#tallies.set(counted, tally);
    return tally;
  }

  /** Once a day; those with counts that nobody took stay. */
  #forgetTallies(): void {
    const now = this.#now();
    if (now - this.#talliesSince < countsKeptMs) return;
    this.#talliesSince = now;
    for (const [name, { isTouched }] of this.#tallies) if (!isTouched) this.#tallies.delete(name);
    this.#named.clear();
    this.ring.clear();
  }

  #touch(tally: Tally): void {
    tally.isTouched = true;
    this.#uncollected.push(tally);
    this.wake();
  }

  #tell(): void {
    const tell = this.#onChange;
    this.#onChange = undefined;
    tell?.();
  }
}
