// Bytes as they come, made into frames: a length of four bytes, big-endian, and so many bytes.

import { LinodError } from '../../errors.js';

/** Longer frames are skipped. Their length has a zero as its first byte, which no text begins with. */
export const maxFrameBytes = 1024 ** 2;
/** What claims to be longer is no frame. */
const absurdBytes = 2 ** 24;
const headBytes = 4;
const firstRoomBytes = 1024;

/** What comes is no frames, and where the next would begin cannot be known. */
export class NoFrameError extends LinodError {
  constructor(length: number) {
    super(
      'LINOD_ERR_NO_FRAME',
      `a frame of ${length} bytes was announced: these are no frames of SocketHandler`,
    );
  }
}

export class FrameSplitter {
  #head = Buffer.alloc(headBytes);
  #headLength = 0;
  /** Bytes of the frame that have not come. */
  #missing = 0;
  #isSkipped = false;
  /** Grows with what comes, not with what is announced. */
  #room = Buffer.alloc(0);
  #kept = 0;
  readonly #onTooLong: (length: number) => void;

  /** @param onTooLong told of each frame that is skipped */
  constructor(onTooLong: (length: number) => void) {
    this.#onTooLong = onTooLong;
  }

  /** Bytes of memory that wait for the end of their frame. */
  get pendingBytes(): number {
    return this.#room.length;
  }

  get isBetweenFrames(): boolean {
    return this.#headLength === 0;
  }

  /** Takes bytes. @returns the frames that end there @throws NoFrameError (`LINOD_ERR_NO_FRAME`) */
  *push(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#headLength < headBytes) {
        this.#head[this.#headLength++] = chunk[at++] ?? 0;
        if (this.#headLength === headBytes) this.#begin(this.#head.readUInt32BE());
      } else {
        const piece = chunk.subarray(at, at + this.#missing);
        at += piece.length;
        this.#missing -= piece.length;
        if (!this.#isSkipped) this.#keep(piece);
      }
      if (this.#headLength === headBytes && this.#missing === 0) {
        const frame = this.#room.subarray(0, this.#kept);
        const isWhole = !this.#isSkipped;
        this.#headLength = 0;
        this.#room = Buffer.alloc(0);
        this.#kept = 0;
        if (isWhole) yield frame;
      }
    }
  }

  #begin(length: number): void {
    if (length >= absurdBytes) throw new NoFrameError(length);
    this.#missing = length;
    this.#isSkipped = length > maxFrameBytes;
    if (this.#isSkipped) this.#onTooLong(length);
  }

  #keep(piece: Buffer): void {
    const needed = this.#kept + piece.length;
    if (needed > this.#room.length) {
      const room = Buffer.alloc(Math.min(maxFrameBytes, Math.max(firstRoomBytes, needed * 2)));
      this.#room.copy(room, 0, 0, this.#kept);
      this.#room = room;
    }
    piece.copy(this.#room, this.#kept);
    this.#kept = needed;
  }
}
