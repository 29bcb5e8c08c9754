// Bytes as they come, made into frames of Python's SocketHandler: a length of four bytes, big-endian, and so many bytes.

import { LinodError } from '../../errors.js';

/** Longer frames are skipped. Their length has a zero as its first byte, which no text begins with. */
export const maxFrameBytes = 1024 ** 2;
/** What claims to be longer is no frame. */
const absurdBytes = 2 ** 24;
const headBytes = 4;

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
  /** What has come of a frame with its length, and how much that has to be. */
  #parts: Buffer[] = [];
  #size = 0;
  #wanted = headBytes;
  /** Bytes to come of a frame that is too long. */
  #skip = 0;
  readonly #onTooLong: (length: number) => void;

  /** @param onTooLong told of each frame that is skipped */
  constructor(onTooLong: (length: number) => void) {
    this.#onTooLong = onTooLong;
  }

  get isBetweenFrames(): boolean {
    return this.#size === 0 && this.#skip === 0;
  }

  /** Takes bytes. @returns the frames that end there @throws NoFrameError (`LINOD_ERR_NO_FRAME`) */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#parts.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    let bytes = Buffer.concat(this.#parts);
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
      this.#wanted = headBytes;
      if (bytes.length < headBytes) break;
      const length = bytes.readUInt32BE();
      if (length >= absurdBytes) throw new NoFrameError(length);
      if (length > maxFrameBytes) {
        this.#onTooLong(length);
        this.#skip = headBytes + length;
        continue;
      }
      this.#wanted = headBytes + length;
      if (bytes.length < this.#wanted) break;
      yield bytes.subarray(headBytes, this.#wanted);
      bytes = bytes.subarray(this.#wanted);
    }
    this.#parts = [bytes];
    this.#size = bytes.length;
  }
}
