// The open file. It opens the file on first use, and again when the file at its path was replaced.

import { statSync } from 'node:fs';
import { mayOnlyRead, openDatabase, openToRead } from './database.js';
import { explain, LayerFileError } from './errors.js';
import { MessageStore } from './store.js';
import type { OnDropped } from './stored-message.js';
import { besideDatabase, WakeFile } from './wake-file.js';

/**
 * The shortest time between two checks that the path still leads to the open file. SQLite does not notice
 * that its file was deleted, and other processes would not see what it writes.
 */
const checkEveryMs = 100;

export class LayerFile {
  readonly path: string;
  readonly #onDropped: OnDropped;
  #opened: Opened | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #wasOpen = false;

  /** Does not open the file. */
  constructor(path: string, onDropped: OnDropped) {
    this.path = path;
    this.#onDropped = onDropped;
  }

  /**
   * Runs `work` on the open file, after opening it if needed. Wakes the waiters of all processes when `work`
   * added messages. It may run `work` more than once: while the file is locked, and after making room on a
   * full disk.
   *
   * @throws LayerFileError
   */
  use<T>(work: (store: MessageStore) => T): T {
    try {
      return this.#use(work);
    } catch (error) {
      const isFull = error instanceof LayerFileError && error.isFull;
      // The `-wal` may be what fills the disk.
      if (isFull && this.#opened?.store.emptyWal()) return this.#use(work);
      throw error;
    }
  }

  /**
   * Reads the file. Unlike `use` it also works for a user without write permission, and creates no file.
   *
   * @throws LayerFileError
   */
  read<T>(work: (store: MessageStore) => T): T {
    if (this.#opened !== undefined || !mayOnlyRead(this.path)) return this.use(work);
    try {
      const db = openToRead(this.path);
      try {
        return work(new MessageStore(db, this.#onDropped));
      } finally {
        db.close();
      }
    } catch (error) {
      throw explain(this.path, error);
    }
  }

  /** Whether the error is temporary. A file that was open before may come back. */
  mayPass(error: unknown): boolean {
    return error instanceof LayerFileError && (error.passes || (error.isMissing && this.#wasOpen));
  }

  /** Closes the file; the next `use` opens it again. Safe to call twice. */
  close(): void {
    this.#opened?.store.close();
    this.#opened?.wakeFile.close();
    this.#opened = undefined;
  }

  #use<T>(work: (store: MessageStore) => T): T {
    try {
      const { store, wakeFile } = this.#current();
      const result = work(store);
      if (store.takeNews()) wakeFile.wake();
      return result;
    } catch (error) {
      throw explain(this.path, error);
    }
  }

  #current(): Opened {
    if (this.#opened !== undefined && this.#isReplaced(this.#opened)) this.close();
    if (this.#opened === undefined) {
      this.#opened = open(this.path, this.#onDropped);
      this.#wasOpen = true;
    }
    return this.#opened;
  }

  /** @throws LayerFileError when what SQLite keeps beside the file is not what this process has open */
  #isReplaced(opened: Opened): boolean {
    // Not the layer's clock, which tests may stop.
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs) return false;
    const identity = identify(this.path);
    if (identity.files !== opened.identity.files) return true;
    if (identity.journal !== opened.identity.journal) {
      // Processes with different files would not see each other's messages, and would damage the database.
      throw new LayerFileError(
        this.path,
        'lost its -wal or -shm while it was open: restart all processes of the site',
      );
    }
    // Set after the checks, so that a refused file stays refused.
    this.#checkedAt = now;
    return false;
  }
}

interface Opened {
  readonly store: MessageStore;
  readonly wakeFile: WakeFile;
  readonly identity: Identity;
}

/** The inodes of the files. */
interface Identity {
  /** Of the database and its wake file. When they change, the layer opens the new file. */
  readonly files: string;
  /** Of SQLite's files beside it. They must not change while the database is open. */
  readonly journal: string;
}

function open(path: string, onDropped: OnDropped): Opened {
  const db = openDatabase(path);
  try {
    const store = new MessageStore(db, onDropped);
    return { store, wakeFile: openWakeFile(path), identity: identify(path) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openWakeFile(path: string): WakeFile {
  try {
    return new WakeFile(path);
  } catch (cause) {
    const problem = 'has a -wake file beside it that cannot be opened: this user needs to write to that, too';
    throw new LayerFileError(path, problem, { sqliteCode: 'SQLITE_CANTOPEN', cause });
  }
}

function identify(path: string): Identity {
  const inodes = (...paths: string[]) =>
    paths.map((name) => statSync(name, { throwIfNoEntry: false })?.ino).join(' ');
  return {
    files: inodes(path, besideDatabase(path, '-wake')),
    journal: inodes(besideDatabase(path, '-wal'), besideDatabase(path, '-shm')),
  };
}
