// The moment from which on a mail may have been taken: before it, the other side lacks the end of it.

import { Readable } from 'node:stream';

/**
 * A stream of the same bytes, whose last chunk waits until a promise has resolved. Nothing is taken from the source
 * before somebody reads, so that the promise is not asked for before the other side wants the mail.
 *
 * @param beforeLast when it rejects, the stream fails, and the last chunk never leaves
 */
export function holdLastChunk(source: Readable, beforeLast: () => Promise<void>): Readable {
  return Readable.from(held(source, beforeLast), { objectMode: false });
}

async function* held(source: Readable, beforeLast: () => Promise<void>): AsyncGenerator<Buffer> {
  let last: Buffer | undefined;
  for await (const chunk of source) {
    if (last !== undefined) yield last;
    last = chunk;
  }
  await beforeLast();
  if (last !== undefined) yield last;
}
