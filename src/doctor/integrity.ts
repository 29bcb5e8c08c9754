// Whether a SQLite file is damaged.

import { existsSync, statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { mebibytes, NotRunError } from './part.js';

/** The check reads the whole file: about a second for this many bytes. */
const mostBytes = 256 * 1024 ** 2;

/** @returns what `PRAGMA quick_check` found @throws NotRunError */
export function checkIntegrity(databaseUrl: string): string[] {
  const path = /^sqlite:(.*)$/.exec(databaseUrl)?.[1];
  if (path === undefined) throw new NotRunError('the database is PostgreSQL, which checks itself');
  if (!existsSync(path)) throw new NotRunError('there is no database yet');
  const { size } = statSync(path);
  if (size > mostBytes)
    throw new NotRunError(`the file has ${mebibytes(size)}: run sqlite3 ${path} "pragma quick_check"`);
  const database = new Sqlite(path, { readonly: true });
  try {
    const lines = database.prepare<[], string>('pragma quick_check(10)').pluck().all();
    return lines.filter((text) => text !== 'ok');
  } catch (error) {
    if (error instanceof Sqlite.SqliteError) return [error.message];
    throw error;
  } finally {
    database.close();
  }
}
