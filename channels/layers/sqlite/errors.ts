// What can be wrong with the file of the embedded layer, in words for the one who has to repair it.

import { LayerUnavailableError } from '../../errors.js';

/**
 * The file of a `SqliteChannelLayer` cannot be used now: `CHANNELS_ERR_LAYER_UNAVAILABLE`, with the path and what
 * SQLite said. Nothing was written.
 */
export class LayerFileError extends LayerUnavailableError {
  readonly path: string;
  /** SQLite's own code, as `SQLITE_READONLY`; undefined when the refusal is ours. */
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

  /** Whether it is worth waiting: another process holds the lock, the disk may get room again. */
  get passes(): boolean {
    return passing.some((code) => isKind(this.sqliteCode, code));
  }

  /** Whether the disk has no room left. */
  get isFull(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_FULL');
  }

  /** Whether there is no file and none can be made. */
  get isMissing(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_CANTOPEN');
  }

  /** Whether another process held the lock for longer than SQLite was told to wait. */
  get isBusy(): boolean {
    return isKind(this.sqliteCode, 'SQLITE_BUSY');
  }
}

const passing = ['SQLITE_BUSY', 'SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_NOMEM', 'SQLITE_PROTOCOL'];

/** By SQLite's primary code. */
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

/** Puts an error that SQLite threw into words; any other error comes back as it is. */
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

/** SQLite's extended codes begin with the primary one: `SQLITE_IOERR_WRITE`. */
function isKind(code: string | undefined, primary: string): boolean {
  return code === primary || code?.startsWith(`${primary}_`) === true;
}
