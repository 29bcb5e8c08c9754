// The last few thousand things that happened to messages in this process.

import { decode, encode } from '../msgpack.js';
import { type TraceEventName, traceEventNames } from '../xray.js';
import type { Tally } from './tally.js';

/** One of them, without the process that it happened in. */
export interface RingEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: TraceEventName;
  readonly channel: string;
}

const firstSize = 256;
/** A power of two. Full, it takes 230 kB. */
const fullSize = 8192;
const wordsPerEvent = 3;

/**
 * Remembers events in arrays that are made once, since it is done for every message: it takes some ten nanoseconds and
 * leaves nothing for the garbage collector. Events are numbered from 0; the oldest are forgotten.
 */
export class EventRing {
  #size = firstSize;
  /** The halves of the id, and the event's place in `traceEventNames`. */
  #words = new Uint32Array(firstSize * wordsPerEvent);
  #at = new Float64Array(firstSize);
  #tallies: Array<Tally | undefined> = new Array(firstSize).fill(undefined);
  #count = 0;

  /** How many events there were: the number of the next one. */
  get count(): number {
    return this.#count;
  }

  /** The number of the oldest event that is remembered. */
  get oldest(): number {
    return Math.max(0, this.#count - this.#size);
  }

  /** @param code the event's place in `traceEventNames` */
  put(code: number, tally: Tally, high: number, low: number, at: number): void {
    if (this.#count === this.#size && this.#size < fullSize) this.#grow();
    const place = this.#count++ & (this.#size - 1);
    const word = place * wordsPerEvent;
    this.#words[word] = high;
    this.#words[word + 1] = low;
    this.#words[word + 2] = code;
    this.#at[place] = at;
    this.#tallies[place] = tally;
  }

  /** The events of one message, in their order. */
  of(high: number, low: number): RingEvent[] {
    const found: RingEvent[] = [];
    for (const entry of this.#from(this.oldest))
      if (entry.high === high && entry.low === low)
        found.push(...ringEvent(entry.at, entry.code, entry.name));
    return found;
  }

  /** Writes the events from a number on, as far as they are remembered, for `readEvents`. */
  write(from: number): Uint8Array {
    const channels = new Map<string, number>();
    const events: number[] = [];
    let base: number | undefined;
    for (const { at, code, high, low, name } of this.#from(Math.max(from, this.oldest))) {
      let channel = channels.get(name);
      if (channel === undefined) {
        channel = channels.size;
        channels.set(name, channel);
      }
      base ??= at;
      events.push(high, low, code, channel, Math.round(at - base));
    }
    return encode([base ?? 0, [...channels.keys()], events]);
  }

  *#from(first: number): Iterable<Entry> {
    for (let number = first; number < this.#count; number++) {
      const place = number & (this.#size - 1);
      const [high = 0, low = 0, code = 0] = this.#words.subarray(place * wordsPerEvent);
      yield { high, low, code, at: this.#at[place] ?? 0, name: this.#tallies[place]?.name ?? '' };
    }
  }

  #grow(): void {
    // It was filled once and exactly, so that every event keeps its place.
    const words = new Uint32Array(this.#size * 2 * wordsPerEvent);
    words.set(this.#words);
    this.#words = words;
    const at = new Float64Array(this.#size * 2);
    at.set(this.#at);
    this.#at = at;
    this.#tallies = [...this.#tallies, ...new Array<undefined>(this.#size).fill(undefined)];
    this.#size *= 2;
  }
}

interface Entry {
  readonly high: number;
  readonly low: number;
  readonly code: number;
  readonly at: number;
  readonly name: string;
}

const numbersPerEvent = 5;

/** Reads what `EventRing.write` wrote, as far as it is about one message. Other bytes, as a later version's, hold nothing. */
export function readEvents(bytes: Uint8Array, high: number, low: number): RingEvent[] {
  const written = decode(bytes);
  if (!Array.isArray(written)) return [];
  const [base, channels, events]: unknown[] = written;
  if (!Array.isArray(channels) || !Array.isArray(events)) return [];
  const found: RingEvent[] = [];
  for (let i = 0; i + numbersPerEvent <= events.length; i += numbersPerEvent) {
    if (events[i] !== high || events[i + 1] !== low) continue;
    const [code, channel, since] = events.slice(i + 2, i + numbersPerEvent);
    found.push(...ringEvent(Number(base) + Number(since), Number(code), String(channels[Number(channel)])));
  }
  return found;
}

/** None for a code that a later version has. */
function ringEvent(at: number, code: number, channel = ''): RingEvent[] {
  const event = traceEventNames[code];
  return event === undefined ? [] : [{ at, event, channel }];
}
