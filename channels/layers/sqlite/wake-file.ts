// How a process wakes waiters in other processes. After its commit it writes a byte into the wake file, which
// the waiters watch. The `-wal` would be too early: it changes before the commit is visible.

import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  openSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs';

const oneByte = Uint8Array.of(10);

/** The path of a file beside the database, with symbolic links resolved. */
export function besideDatabase(path: string, ending: '-shm' | '-wake' | '-wal'): string {
  return `${existsSync(path) ? realpathSync(path) : path}${ending}`;
}

/** The path of the wake file. */
export function wakeFilePath(databasePath: string): string {
  return besideDatabase(databasePath, '-wake');
}

/** The sender's side; the receiver's side is in `Waiting`. */
export class WakeFile {
  readonly #descriptor: number;

  /**
   * Creates the file if it is missing, with the database's permissions. As root it also sets the database's
   * owner, as SQLite does for the `-wal`, so that all processes of the site can open it.
   *
   * @throws what `openSync` throws
   */
  constructor(databasePath: string) {
    const { mode, uid, gid } = statSync(databasePath);
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#descriptor = openSync(wakeFilePath(databasePath), flags, mode & 0o777);
    if (process.geteuid?.() === 0) fchownSync(this.#descriptor, uid, gid);
  }

  /** Wakes all waiters. Call it after a commit. */
  wake(): void {
    try {
      writeSync(this.#descriptor, oneByte, 0, 1, 0);
    } catch {
      // The disk may be full. The message is stored, and the receivers' next poll finds it.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
