// The file as the reader and the writer see it: there, open, and still the one at its path.

import { statSync } from 'node:fs';
import { openDatabase } from './database.js';
import { bells, Doorbells, doorbellPath, Rings } from './doorbell.js';
import { explain, LayerFileError } from './errors.js';
import { MessageStore, type OnDropped } from './message-store.js';

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
  readonly #rings = new Rings();

  /** Opens nothing yet. */
  constructor(path: string, onDropped: OnDropped) {
    this.path = path;
    this.#onDropped = onDropped;
  }

  /**
   * Does something with the open file, after opening it, or opening it anew when it was replaced. When that put
   * messages into it, whoever waits for them is woken, in all processes. While another process holds the lock it is
   * done again for a few ms, so `work` may run more than once.
   *
   * @throws LayerFileError
   */
  use<T>(work: (store: MessageStore) => T): T {
    try {
      const { store, doorbells } = this.#current();
      const result = withPatience(() => work(store));
      if (store.hasFiled) doorbells.ring(store.takeBells());
      return result;
    } catch (error) {
      throw explain(this.path, error);
    }
  }

  /** The same with a file that is open and still at its path; undefined, and no file is made, for any other. */
  useIfThere<T>(work: (store: MessageStore) => T): T | undefined {
    const opened = this.#opened;
    return opened !== undefined && identify(this.path) === opened.identity ? this.use(work) : undefined;
  }

  /** How often this process has rung, and so may hear itself. */
  get rings(): Rings {
    return this.#rings;
  }

  /** Whether it is worth waiting after this error. A file that was open before may come back. */
  mayPass(error: unknown): boolean {
    return error instanceof LayerFileError && (error.passes || (error.isMissing && this.#wasOpen));
  }

  /** Closes the connection; the next `use` would open it again. Safe to call twice. */
  close(): void {
    this.#opened?.store.close();
    this.#opened?.doorbells.close();
    this.#opened = undefined;
  }

  #current(): Opened {
    if (this.#opened !== undefined && this.#isReplaced(this.#opened)) this.close();
    if (this.#opened === undefined) {
      this.#opened = open(this.path, this.#onDropped, this.#rings);
      this.#wasOpen = true;
    }
    return this.#opened;
  }

  #isReplaced(opened: Opened): boolean {
    // Not the layer's clock: this one must go on when a test stops that one.
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs) return false;
    this.#checkedAt = now;
    return identify(this.path) !== opened.identity;
  }
}

interface Opened {
  readonly store: MessageStore;
  readonly doorbells: Doorbells;
  readonly identity: string;
}

function open(path: string, onDropped: OnDropped, rings: Rings): Opened {
  const db = openDatabase(path);
  try {
    return {
      store: new MessageStore(db, onDropped),
      doorbells: openDoorbells(path, rings),
      identity: identify(path),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDoorbells(path: string, rings: Rings): Doorbells {
  try {
    return new Doorbells(path, rings);
  } catch (cause) {
    const problem =
      'has a -wake- file beside it that cannot be opened: this user needs to write to that, too';
    throw new LayerFileError(path, problem, { sqliteCode: 'SQLITE_CANTOPEN', cause });
  }
}

/** The inodes that the path of the database and those of its doorbells lead to. */
function identify(path: string): string {
  const paths = [path, ...bells.map((bell) => doorbellPath(path, bell))];
  return paths.map((name) => statSync(name, { throwIfNoEntry: false })?.ino).join(' ');
}

/** How long this process may stand still because another one writes; a write takes some 20 µs. */
const patienceMs = 3;
/** So many attempts come one after another; then the processor is left to the one who writes. */
const attemptsInARow = 20;
const breakMs = 0.1;
const breaks = new Int32Array(new SharedArrayBuffer(4));

/**
 * SQLite's own patience (`busy_timeout`) sleeps a whole millisecond before it tries again, fifty times as long as the
 * other's write: two busy processes would mostly sleep.
 */
function withPatience<T>(attempt: () => T): T {
  let giveUpAt: number | undefined;
  for (let attempts = 1; ; attempts++) {
    try {
      return attempt();
    } catch (error) {
      giveUpAt ??= performance.now() + patienceMs;
      if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
      if (attempts > attemptsInARow) Atomics.wait(breaks, 0, 0, breakMs);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY';
}
