// Names of senders and loggers, recognised by their bytes.

import { Pattern } from '../bytes.js';

/** A name that was met in the log. The same bytes always give the same object. */
export interface Name {
  /** Counts up from 0. */
  readonly id: number;
  readonly text: string;
}

interface Entry extends Name {
  readonly hash: number;
  readonly pattern: Pattern;
}

const firstSlots = 64;
const word = 4;
/** An odd number whose bits are well mixed: 2³² divided by the golden ratio. */
const factor = 0x9e3779b1;

/**
 * Gives out one object a name, without making a string for each time it is met: that would cost more than all the rest
 * of looking at a line.
 */
export class Names {
  /** An entry is in the first free slot from the one on that its hash tells; at least half of them are free. */
  #slots: Array<Entry | undefined> = new Array(firstSlots).fill(undefined);
  #count = 0;

  /** The name from `start` up to `end`, of at least one byte. */
  find(view: DataView, start: number, end: number): Name {
    const hash = hashOf(view, start, end);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let entry = slots[slot]; entry !== undefined; entry = slots[slot]) {
      if (entry.hash === hash && entry.pattern.length === end - start && entry.pattern.isAt(view, start, end))
        return entry;
      slot = (slot + 1) & mask;
    }
    const bytes = Buffer.from(view.buffer, view.byteOffset + start, end - start);
    const entry = { id: this.#count++, text: bytes.toString(), hash, pattern: new Pattern(bytes) };
    slots[slot] = entry;
    if (this.#count * 2 > slots.length) this.#grow();
    return entry;
  }

  #grow(): void {
    const slots: Array<Entry | undefined> = new Array(this.#slots.length * 2).fill(undefined);
    const mask = slots.length - 1;
    for (const entry of this.#slots) {
      if (entry === undefined) continue;
      let slot = entry.hash & mask;
      while (slots[slot] !== undefined) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}

function hashOf(view: DataView, start: number, end: number): number {
  let hash = end - start;
  if (hash < word) {
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ view.getUint8(at), factor);
  } else {
    const last = end - word;
    for (let at = start; at < last; at += word) hash = Math.imul(hash ^ view.getInt32(at), factor);
    hash = Math.imul(hash ^ view.getInt32(last), factor);
  }
  // The low bits of a product know nothing of the high ones of its factors.
  return hash ^ (hash >>> 15);
}
