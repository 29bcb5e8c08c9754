// Bytes as they come, made into lines, of which not more is kept than a record can hold.

/** What is kept of a line, and of a record of several lines; the rest is counted. Less than a record may have, since
 * what is neutralised in it gets longer. */
export const keptBytes = 48 * 1024;

const newline = 0x0a;
const carriageReturn = 0x0d;
const firstRoomBytes = 256;

export interface Line {
  /** Without its end (`\n` or `\r\n`); at most {@link keptBytes}. */
  readonly bytes: Buffer;
  /** The bytes that there were. */
  readonly size: number;
}

/** Memory is bounded by {@link keptBytes}, whatever comes. */
export class LineSplitter {
  /** The beginning of a line that has not ended; grown as need be. */
  #room = Buffer.alloc(0);
  #kept = 0;
  #size = 0;

  /** Bytes of memory that wait for the end of their line. */
  get pendingBytes(): number {
    return this.#room.length;
  }

  /** Takes bytes. @returns the lines that end there; they may share memory with `chunk` */
  *push(chunk: Buffer): Generator<Line> {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      yield this.#line(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /** The line that lacks its end; undefined when there is none. */
  end(): Line | undefined {
    return this.#size === 0 ? undefined : this.#line(Buffer.alloc(0));
  }

  #line(rest: Buffer): Line {
    let bytes = rest;
    if (this.#size > 0) {
      this.#keep(rest);
      bytes = this.#room.subarray(0, this.#kept);
    }
    let size = this.#size > 0 ? this.#size : rest.length;
    if (size === bytes.length && bytes.at(-1) === carriageReturn) {
      bytes = bytes.subarray(0, -1);
      size--;
    }
    this.#room = Buffer.alloc(0);
    this.#kept = 0;
    this.#size = 0;
    return { bytes: bytes.subarray(0, keptBytes), size };
  }

  #keep(bytes: Buffer): void {
    this.#size += bytes.length;
    const kept = bytes.subarray(0, keptBytes - this.#kept);
    const needed = this.#kept + kept.length;
    if (needed > this.#room.length) {
      const room = Buffer.alloc(Math.min(keptBytes, Math.max(firstRoomBytes, needed * 2)));
      this.#room.copy(room, 0, 0, this.#kept);
      this.#room = room;
    }
    kept.copy(this.#room, this.#kept);
    this.#kept = needed;
  }
}
