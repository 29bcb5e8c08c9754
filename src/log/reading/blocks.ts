// A log file, plain or compressed, in large pieces that end where a record ends.

import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

/** A piece of a log file. Its bytes are overwritten when the next one is asked for. */
export interface Block {
  readonly bytes: Buffer;
  /** Where it begins in the (uncompressed) file. */
  readonly offset: number;
  /** A line that is longer than a block goes on in the next one. */
  readonly isLineCut: boolean;
}

/** How a file is compressed, as its first bytes tell. */
export type Packing = 'plain' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

const newline = 0x0a;
const space = 0x20;
const blockBytes = 1024 ** 2;
/** Nothing that linod writes has a line or a record as long as this. */
const longestLineBytes = 512 * 1024;

const magics: ReadonlyArray<readonly [Packing, Buffer]> = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];

/** How a file that begins with these bytes is compressed. */
export function packingOf(start: Buffer): Packing {
  const found = magics.find(([, magic]) => start.subarray(0, magic.length).equals(magic));
  return found?.[0] ?? 'plain';
}

export interface BlockOptions {
  /** Where to begin, in bytes; a compressed file is read from its beginning all the same. Default 0. */
  readonly from?: number | undefined;
  /** How much of a plain file is read, in bytes from its beginning. Default: what there is. */
  readonly to?: number | undefined;
  /** Default 1 MiB. */
  readonly blockBytes?: number | undefined;
}

/**
 * Reads a file from some place to its end, in constant memory. A block ends where a record ends, unless one is longer than
 * half a megabyte, and the last block where the file ends.
 *
 * @throws what the file system or the decompression reports, once everything that could be read was handed over
 */
export async function* readBlocks(path: string, options: BlockOptions = {}): AsyncGenerator<Block> {
  const file = await openEitherWay(path, options);
  try {
    yield* blocksOf(file, options);
  } finally {
    await file.close();
  }
}

/** A rotated file may be compressed between the moment in which it was found and that in which it is read. */
async function openEitherWay(path: string, { from = 0 }: BlockOptions): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const packed = from > 0 ? undefined : await open(`${path}.gz`, 'r').catch(() => undefined);
    if (packed === undefined) throw error;
    return packed;
  }
}

/** The same for a file that is open, and stays so. */
export async function* blocksOf(file: FileHandle, options: BlockOptions = {}): AsyncGenerator<Block> {
  const start = Buffer.alloc(8);
  await file.read(start, 0, start.length, 0);
  const packing = packingOf(start);
  if (packing === 'plain') yield* cut(pour(file, options), options.from ?? 0, options.blockBytes);
  else if (packing === 'gzip') yield* cut(unpack(file), 0, options.blockBytes);
  else throw new TypeError(`it is compressed with ${packing}, which linod does not read; unpack it first`);
}

/** Fills as much of the target as it can, at least one byte; 0 at the end. */
type Fill = (target: Buffer) => Promise<number>;

function pour(file: FileHandle, { from = 0, to = Number.POSITIVE_INFINITY }: BlockOptions): Fill {
  let at = from;
  return async (target) => {
    const length = Math.min(target.length, to - at);
    if (length <= 0) return 0;
    const { bytesRead } = await file.read(target, 0, length, at);
    at += bytesRead;
    return bytesRead;
  };
}

function unpack(file: FileHandle): Fill {
  const gunzip = file
    .createReadStream({ start: 0, autoClose: false })
    .pipe(createGunzip({ chunkSize: 256 * 1024 }));
  const chunks: AsyncIterator<Buffer> = gunzip[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return async (target) => {
    if (rest.length === 0) {
      const next = await chunks.next();
      if (next.done === true) return 0;
      rest = next.value;
    }
    const length = rest.copy(target);
    rest = rest.subarray(length);
    return length;
  };
}

/** What a buffer was filled with. */
interface Filled {
  readonly length: number;
  /** Nothing follows, or nothing that can be read. */
  readonly isEnd: boolean;
  readonly failure?: unknown;
}

async function* cut(fill: Fill, from: number, size = blockBytes): AsyncGenerator<Block> {
  let buffer: Buffer = Buffer.allocUnsafe(size);
  let other: Buffer | undefined;
  let offset = from;
  let filling = fillUp(fill, buffer, 0);
  try {
    for (;;) {
      const { length, isEnd, failure } = await filling;
      const end = isEnd ? length : recordEnd(buffer, length);
      const isLineCut = !isEnd && buffer[end - 1] !== newline;
      const next = other ?? Buffer.allocUnsafe(isEnd ? 0 : size);
      // The system reads the next block while somebody looks at this one.
      if (!isEnd) filling = fillUp(fill, next, buffer.copy(next, 0, end, length));
      if (end > 0) yield { bytes: buffer.subarray(0, end), offset, isLineCut };
      if (failure !== undefined) throw failure;
      if (isEnd) return;
      offset += end;
      [buffer, other] = [next, buffer];
    }
  } finally {
    // Nobody closes the file or uses the buffer while it is being read.
    await filling;
  }
}

/** Fills a buffer from `start` on to its end, or as far as there is something. Never rejects. */
async function fillUp(fill: Fill, buffer: Buffer, start: number): Promise<Filled> {
  let length = start;
  try {
    while (length < buffer.length) {
      const filled = await fill(buffer.subarray(length));
      if (filled === 0) return { length, isEnd: true };
      length += filled;
    }
    return { length, isEnd: false };
  } catch (failure) {
    return { length, isEnd: true, failure };
  }
}

/** Where the last record that ends in a full buffer ends; else the last line; else the buffer. */
function recordEnd(buffer: Buffer, length: number): number {
  const record = lastRecordEnd(buffer, length);
  if (record > 0) return record;
  const line = buffer.lastIndexOf(newline, length - 1);
  return line >= 0 ? line + 1 : length;
}

/** Where the last record ends in the first `length` bytes: behind a line that is not continued. 0 when none does. */
export function lastRecordEnd(buffer: Buffer, length: number): number {
  const last = length === 0 ? -1 : buffer.lastIndexOf(newline, length - 1);
  let at = last;
  // A line that ends in a space is continued.
  while (at > 0 && buffer[at - 1] === space && last - at < longestLineBytes) {
    at = buffer.lastIndexOf(newline, at - 1);
  }
  return at > 0 && buffer[at - 1] !== space ? at + 1 : 0;
}
