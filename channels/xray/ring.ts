// The last few thousand things that happened to messages in this process.

import { decode, encode } from '../msgpack.js';
import { type TraceEventName, traceEventNames } from '../xray.js';

/** One of them, without the process that it happened in. */
export interface RingEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: TraceEventName;
  readonly channel: string;
}

const firstSize = 256;
/** A power of two. Full, it takes 131 kB. */
const fullSize = 8192;
/** The halves of the id; the channel's number and, in the lowest bits, the kind of event; milliseconds since `#base`. */
const wordsPerEvent = 4;
const codeBits = 4;
const longestSpanMs = 2 ** 31 - 1;

/**
 * Remembers events in an array that is made once, since it is done for every message: it takes some ten nanoseconds and
 * leaves nothing for the garbage collector. Events are numbered from 0; the oldest are forgotten.
 */
export class EventRing {
  #size = firstSize;
  #words = new Uint32Array(firstSize * wordsPerEvent);
  /** By their numbers. */
  #channels: string[] = [];
  /** Milliseconds since 1970, from which times are counted. */
  #base = 0;
  #count = 0;
  /** Events before this one are forgotten, whatever the size. */
  #cleared = 0;

  /** How many events there were: the number of the next one. */
  get count(): number {
    return this.#count;
  }

  /** The number of the oldest event that is remembered. */
  get oldest(): number {
    return Math.max(this.#cleared, this.#count - this.#size);
  }

  /** Returns the number by which events name a channel, until the ring is cleared. */
  enlist(channel: string): number {
    return this.#channels.push(channel) - 1;
  }

  /** Forgets all events, and the numbers of channels. */
  clear(): void {
    this.#cleared = this.#count;
    this.#channels = [];
  }

  /**
   * @param code the event's place in `traceEventNames`
   * @param channel from `enlist`
   */
  put(code: number, channel: number, high: number, low: number, at: number): void {
    if (this.#count === this.#size && this.#size < fullSize) this.#grow();
    if (Math.abs(at - this.#base) > longestSpanMs) this.#beginAt(at);
    const words = this.#words;
    const word = (this.#count++ & (this.#size - 1)) * wordsPerEvent;
    words[word] = high;
    words[word + 1] = low;
    words[word + 2] = (channel << codeBits) | code;
    words[word + 3] = at - this.#base;
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
      events.push(high, low, code, channel, at - base);
    }
    return encode([base ?? 0, [...channels.keys()], events]);
  }

  *#from(first: number): Iterable<Entry> {
    for (let number = first; number < this.#count; number++) {
      const word = (number & (this.#size - 1)) * wordsPerEvent;
      const [high = 0, low = 0, what = 0, since = 0] = this.#words.subarray(word, word + wordsPerEvent);
      const name = this.#channels[what >>> codeBits] ?? '';
      // A clock that was set back makes it negative.
      yield { high, low, code: what & (2 ** codeBits - 1), at: this.#base + (since | 0), name };
    }
  }

  /** Times are counted anew, at first, after some weeks, and when a clock was set by so much; what was before is forgotten. */
  #beginAt(at: number): void {
    this.#base = Math.floor(at);
    this.#cleared = this.#count;
  }

  #grow(): void {
    // It was filled once and exactly, so that every event keeps its place.
    const words = new Uint32Array(this.#size * 2 * wordsPerEvent);
    words.set(this.#words);
    this.#words = words;
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
