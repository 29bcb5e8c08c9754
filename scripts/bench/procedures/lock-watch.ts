// Looks from outside how long the lock of a SQLite file is held: as another process would, it asks for it again and again.

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

/** From one look to the next, and from a refusal to the next try: short beside what is measured. */
const lookEveryMs = 2;
const tryEveryMs = 0.3;

/** When the rules of every second begin, and end again, is no time at which to see what others do: in ms from a full second. */
const rush = { from: -150, until: 250 };

/** In ms. */
export interface Waits {
  readonly ms: number;
  /** Of those that began between the beginnings of seconds. */
  readonly betweenMs: number;
}

/** Waits for the lock in a thread of its own. */
export class LockWatch {
  readonly #thread: Worker;

  /** @param path of the database, which exists */
  constructor(path: string) {
    this.#thread = new Worker(new URL(import.meta.url), { workerData: path });
  }

  /** The longest waits since the last time this was asked; one that goes on counts when it is over. */
  async longest(): Promise<Waits> {
    const answer = once(this.#thread, 'message');
    this.#thread.postMessage('longest');
    const [waits]: Waits[] = await answer;
    if (waits === undefined) throw new Error('unreachable: a message has a value');
    return waits;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}

if (!isMainThread && typeof workerData === 'string') await watch(workerData);

async function watch(path: string): Promise<void> {
  const database = new BetterSqlite3(path, { timeout: 0 });
  const begin = database.prepare('begin immediate');
  const end = database.prepare('rollback');
  let waits: Waits = { ms: 0, betweenMs: 0 };
  parentPort?.on('message', () => {
    parentPort?.postMessage(waits);
    waits = { ms: 0, betweenMs: 0 };
  });
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const isFree = () => {
    try {
      begin.run();
      end.run();
      return true;
    } catch (error) {
      if (error instanceof BetterSqlite3.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
      throw error;
    }
  };
  for (;;) {
    const from = performance.now();
    const sinceSecond = Date.now() % 1000;
    while (!isFree()) Atomics.wait(sleeper, 0, 0, tryEveryMs);
    const ms = performance.now() - from;
    const isBetween = sinceSecond > rush.until && sinceSecond < 1000 + rush.from;
    waits = { ms: Math.max(waits.ms, ms), betweenMs: Math.max(waits.betweenMs, isBetween ? ms : 0) };
    await pause(lookEveryMs);
  }
}
