// How a process that put something into the database wakes those that wait: it writes a byte into a small file beside
// it after its commit, and who waits watches that file. The `-wal` file would tell too early: a notice comes with the
// bytes, before they count.

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

/** A file beside the database itself, by whatever link that was opened. */
export function besideDatabase(path: string, ending: '-shm' | '-wake' | '-wal'): string {
  return `${existsSync(path) ? realpathSync(path) : path}${ending}`;
}

/** The file that is watched, and good for nothing else. */
export function wakeFilePath(databasePath: string): string {
  return besideDatabase(databasePath, '-wake');
}

/** The sender's end; the receiver's is in `Waiting`. */
export class WakeFile {
  readonly #descriptor: number;

  /**
   * Makes the file where it is missing, with the database's permissions; root makes it the database owner's, as SQLite
   * does with the `-wal`, so that the processes of the site can open it.
   *
   * @throws what `openSync` throws
   */
  constructor(databasePath: string) {
    const { mode, uid, gid } = statSync(databasePath);
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#descriptor = openSync(wakeFilePath(databasePath), flags, mode & 0o777);
    if (process.geteuid?.() === 0) fchownSync(this.#descriptor, uid, gid);
  }

  /** After a commit: wakes all who wait. */
  wake(): void {
    try {
      writeSync(this.#descriptor, oneByte, 0, 1, 0);
    } catch {
      // A full disk, perhaps. The message is stored, so its send must not fail; the receivers' polls will find it.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
