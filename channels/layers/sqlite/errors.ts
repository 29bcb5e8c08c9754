// The errors of the embedded layer's file, with a text that says how to repair it.

import { LayerUnavailableError } from '../../errors.js';

/**
 * The file of a `SqliteChannelLayer` cannot be used (`CHANNELS_ERR_LAYER_UNAVAILABLE`). Nothing was written.
 */
export class LayerFileError extends LayerUnavailableError {
  readonly path: string;
  /** SQLite's error code, as `SQLITE_READONLY`; undefined for an error of the layer itself. */
  readonly sqliteCode: string | undefined;

  constructor(
    path: string,
    problem: string,
    options: { sqliteCode?: string | undefined; cause?: unknown } = {},
  ) {
    super(`channel layer file ${JSON.stringify(path)} ${problem}`, { cause: options.cause });
    this.path = path;
    this.sqliteCode = options.sqliteCode;
  }

  /** Whether the error is temporary: another process holds the lock, or the disk may get free space. */
  get passes(): boolean {
    return passing.some((code) => isKind(this.sqliteCode, code));
  }

  /** Whether the disk is full. */
  get isFull(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_FULL');
  }

  /** Whether the file is missing and cannot be created. */
  get isMissing(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_CANTOPEN');
  }

  /** Whether another process held the lock for too long. */
  get isBusy(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_BUSY');
  }
}

const passing = ['SQLITE_BUSY', 'SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_NOMEM', 'SQLITE_PROTOCOL'];

/** Texts by SQLite's primary code. */
const problems: Readonly<Record<string, string>> = {
  SQLITE_BUSY: 'is locked by another process',
  SQLITE_CANTOPEN: 'cannot be opened: check that the directory exists and that this user may write to it',
  SQLITE_CORRUPT:
    'is damaged: stop all processes of the site and delete it with its -wal and -shm (only messages under way are lost)',
  SQLITE_FULL: 'cannot grow: the disk is full',
  SQLITE_IOERR_SHORT_READ:
    'cannot be read to its end: perhaps its -wal was deleted; restart all processes of the site',
  SQLITE_IOERR: 'cannot be read or written: the disk reports an error',
  SQLITE_NOTADB: 'is not a SQLite database: choose another path, or delete the file if nobody needs it',
  SQLITE_READONLY:
    'is read-only: this user needs to write to it, to its directory and to its -wal and -shm files',
};

/** Explains an error of SQLite. Returns any other error unchanged. */
export function explain(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof LayerFileError) return error;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return error;
  const [, problem] = Object.entries(problems).find(([kind]) => isKind(code, kind)) ?? [];
  return new LayerFileError(path, problem ?? `cannot be used: ${error.message} (${code})`, {
    sqliteCode: code,
    cause: error,
  });
}

/** An extended code begins with the primary one: `SQLITE_IOERR_WRITE`. */
function isKind(code: string | undefined, primary: string): boolean {
  return code === primary || code?.startsWith(`${primary}_`) === true;
}
