// Names of senders and loggers, recognised by their bytes.

/** A name that was met in the log. The same bytes always give the same object. */
export interface Name {
  /** Counts up from 0. */
  readonly id: number;
  readonly text: string;
}

interface Entry extends Name {
  readonly bytes: Buffer;
  /** Another name with the same hash. */
  readonly next: Entry | undefined;
}

/**
 * Gives out one object a name, without making a string for each time it is met: that would cost more than all the rest
 * of looking at a line.
 */
export class Names {
  readonly #byHash = new Map<number, Entry>();
  #last: Entry | undefined;
  #count = 0;

  /** The name in `bytes` from `start` up to `end`. */
  find(bytes: Buffer, start: number, end: number): Name {
    if (this.#last !== undefined && isSame(this.#last.bytes, bytes, start, end)) return this.#last;
    // FNV-1a, 32 bits.
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    const first = this.#byHash.get(hash);
    let entry = first;
    while (entry !== undefined && !isSame(entry.bytes, bytes, start, end)) entry = entry.next;
    if (entry === undefined) {
      const own = Buffer.from(bytes.subarray(start, end));
      entry = { id: this.#count++, text: own.toString(), bytes: own, next: first };
      this.#byHash.set(hash, entry);
    }
    this.#last = entry;
    return entry;
  }
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  const { length } = name;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}
