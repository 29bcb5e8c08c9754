// Splits bytes into frames of Python's SocketHandler: a length of four bytes, big-endian, and that many
// bytes.

import { LinodError } from '../../base/errors.js';

/** Longer frames are skipped. Their length has a zero as its first byte, which no text begins with. */
export const maxFrameBytes = 1024 ** 2;
/** A longer length means that the bytes are no frames. */
const absurdBytes = 2 ** 24;
const headBytes = 4;

/** The bytes are no frames, and the beginning of the next one is unknown. */
export class NoFrameError extends LinodError {
  constructor(problem: string) {
    super('LINOD_ERR_NO_FRAME', `${problem}: these are no frames of SocketHandler`);
  }
}

export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes still to skip of a frame that is too long. */
  #skip = 0;
  readonly #onTooLong: (length: number) => void;

  /** @param onTooLong called for each skipped frame */
  constructor(onTooLong: (length: number) => void) {
    this.#onTooLong = onTooLong;
  }

  get isBetweenFrames(): boolean {
    return this.#rest.length === 0 && this.#skip === 0;
  }

  /** Reads bytes. @returns the frames that end there @throws NoFrameError (`LINOD_ERR_NO_FRAME`) */
  *push(chunk: Buffer): Generator<Buffer> {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    let bytes = Buffer.concat([this.#rest, chunk.subarray(skipped)]);
    while (bytes.length >= headBytes) {
      const length = bytes.readUInt32BE();
      const end = headBytes + length;
      if (length >= absurdBytes) throw new NoFrameError(`a frame of ${length} bytes was announced`);
      if (length > maxFrameBytes) {
        this.#onTooLong(length);
        this.#skip = Math.max(0, end - bytes.length);
      } else if (bytes.length < end) break;
      else yield bytes.subarray(headBytes, end);
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }
}
