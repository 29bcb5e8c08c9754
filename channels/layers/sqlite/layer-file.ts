// The file as the writer and those who wait see it: there, open, and still the one at its path.

import { statSync } from 'node:fs';
import { mayOnlyRead, openDatabase, openToRead } from './database.js';
import { explain, LayerFileError } from './errors.js';
import { MessageStore } from './store.js';
import type { OnDropped } from './stored-message.js';
import { besideDatabase, WakeFile } from './wake-file.js';

/**
 * How often at most it is looked whether the path still leads to the open file. Who writes to a file that was
 * deleted meanwhile talks to nobody, and SQLite does not notice.
 */
const checkEveryMs = 100;

export class LayerFile {
  readonly path: string;
  readonly #onDropped: OnDropped;
  #opened: Opened | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #wasOpen = false;

  /** Opens nothing yet. */
  constructor(path: string, onDropped: OnDropped) {
    this.path = path;
    this.#onDropped = onDropped;
  }

  /**
   * Does something with the open file, after opening it, or opening it anew when it was replaced. When that put
   * messages into it, whoever waits for them is woken, in all processes. While another process writes, and after making
   * room on a full disk, it is done again, so `work` may run more than once.
   *
   * @throws LayerFileError
   */
  use<T>(work: (store: MessageStore) => T): T {
    try {
      return this.#use(work);
    } catch (error) {
      const isFull = error instanceof LayerFileError && error.isFull;
      // What fills the disk may be the `-wal`.
      if (isFull && this.#opened?.store.emptyWal()) return this.#use(work);
      throw error;
    }
  }

  /**
   * Looks at what is in the file. Unlike `use` it works for a user who may only read, and then makes no file.
   *
   * @throws LayerFileError
   */
  look<T>(work: (store: MessageStore) => T): T {
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

  /** Whether it is worth waiting after this error. A file that was open before may come back. */
  mayPass(error: unknown): boolean {
    return error instanceof LayerFileError && (error.passes || (error.isMissing && this.#wasOpen));
  }

  /** Closes the connection; the next `use` would open it again. Safe to call twice. */
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
    // Not the layer's clock: this one must go on when a test stops that one.
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs) return false;
    const identity = identify(this.path);
    if (identity.files !== opened.identity.files) return true;
    if (identity.journal !== opened.identity.journal) {
      // Those who opened it before and after would not see each other's messages, and damage the file.
      throw new LayerFileError(
        this.path,
        'lost its -wal or -shm while it was open: restart all processes of the site',
      );
    }
    // Only now: what is refused stays refused.
    this.#checkedAt = now;
    return false;
  }
}

interface Opened {
  readonly store: MessageStore;
  readonly wakeFile: WakeFile;
  readonly identity: Identity;
}

/** The inodes that paths lead to. */
interface Identity {
  /** Of the database and its wake file. When they change a new file is opened. */
  readonly files: string;
  /** Of SQLite's files beside it. They stay for as long as the database is open. */
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
