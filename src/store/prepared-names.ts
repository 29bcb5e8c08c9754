// Which statements are asked again and again. PostgreSQL reads and plans a statement each time, which takes longer than its
// answer, unless it has a name: then each connection keeps what was made of it.

import { createHash } from 'node:crypto';

const names = new Map<string, string>();

/** From now on PostgreSQL keeps this statement. */
export function keepPrepared(text: string): void {
  // Of the text, so that behind a proxy that shares connections a name never stands for another statement.
  names.set(text, `linod ${createHash('sha1').update(text).digest('hex')}`);
}

/** The name of a statement that is kept; undefined for all others. */
export function preparedName(text: string): string | undefined {
  return names.get(text);
}
