// Reads a log file, plain or gzip, in large chunks that end where a record ends.

import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** Whole records, except at the end of the file and for text that is longer than any record. */
export interface Chunk {
  readonly bytes: Buffer;
  /** The file ends here, within a record or a line. */
  readonly isTail: boolean;
}

/** How a file is compressed, as its first bytes say. */
export type Packing = 'plain' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

const newline = 0x0a;
const space = 0x20;
const chunkBytes = 256 * 1024;
/** Text without an end in this many bytes is no record, and is passed on in parts. */
const maxPendingBytes = 8 * 1024 ** 2;

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

export interface ChunkOptions {
  /** Where to begin, in bytes of the unpacked file. Default 0. */
  readonly from?: number | undefined;
  /** Where to end. Default: at the end of the file. */
  readonly to?: number | undefined;
}

/**
 * Reads a file from an offset to its end, in constant memory.
 *
 * @throws the error of the file system or the decompression, after everything that could be read
 */
export async function* readChunks(path: string, options: ChunkOptions = {}): AsyncGenerator<Chunk> {
  const file = await openEitherWay(path);
  try {
    yield* chunksOf(file, options);
  } finally {
    await file.close();
  }
}

/** Another process may compress a rotated file after it was found and before it is read. */
async function openEitherWay(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const packed = await open(`${path}.gz`, 'r').catch(() => undefined);
    if (packed === undefined) throw error;
    return packed;
  }
}

/** The same for an open file, which stays open. */
export async function* chunksOf(file: FileHandle, options: ChunkOptions = {}): AsyncGenerator<Chunk> {
  let pending: Buffer = Buffer.alloc(0);
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const read of piecesOf(file, options)) {
      const bytes = pending.length === 0 ? read : Buffer.concat([pending, read]);
      const end = lastRecordEnd(bytes) || (bytes.length > maxPendingBytes ? bytes.length : 0);
      pending = bytes.subarray(end);
      if (end > 0) yield { bytes: bytes.subarray(0, end), isTail: false };
    }
  } catch (error) {
    failure = { error };
  }
  if (pending.length > 0) yield { bytes: pending, isTail: true };
  if (failure !== undefined) throw failure.error;
}

async function* piecesOf(file: FileHandle, options: ChunkOptions): AsyncGenerator<Buffer> {
  const { from = 0, to = Number.POSITIVE_INFINITY } = options;
  const packing = packingOf((await file.read(Buffer.alloc(8), 0, 8, 0)).buffer);
  if (packing === 'gzip') yield* unpack(file, from, to);
  else if (packing === 'plain') yield* readPlain(file, from, to);
  else throw new TypeError(`it is compressed with ${packing}, which linod does not read; unpack it first`);
}

/** Not a stream of the handle, which would leave a listener at each call for a growing file. */
async function* readPlain(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer> {
  for (let at = from; at < to; ) {
    const length = Math.min(chunkBytes, to - at);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function* unpack(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  // The loop throws the errors of both.
  pipeline(readPlain(file, 0, Number.POSITIVE_INFINITY), gunzip, () => {});
  let at = 0;
  for await (const bytes of gunzip as AsyncIterable<Buffer>) {
    const wanted = bytes.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += bytes.length;
    if (wanted.length > 0) yield wanted;
    if (at >= to) return;
  }
}

/**
 * Where the last record ends in these bytes: after a line that does not end in a space. 0 if there is none.
 */
export function lastRecordEnd(bytes: Buffer): number {
  let at = bytes.lastIndexOf(newline);
  while (at > 0 && bytes[at - 1] === space) at = bytes.lastIndexOf(newline, at - 1);
  return at > 0 ? at + 1 : 0;
}
