// The least that a Node program can do to carry messages through a SQLite file between two processes: better-sqlite3
// with the settings of our layer, a table for each channel, one statement for a send and one to take what is there, and
// a file that is touched and watched to wake the other. No bound, no expiry, no groups, nothing is checked.

import { openSync, watch, writeSync } from 'node:fs';
import { openDatabase } from '../../../channels/layers/sqlite/database.js';
import { decode, encode } from '../../../channels/msgpack.js';
import type { BenchMessage } from './messages.js';
import { type Transport, withoutGroups } from './transport.js';

type Database = ReturnType<typeof openDatabase>;

/** The most that a receiver of one by one takes at once: as our layer. */
const rowsPerTake = 50;

/** One commit a send; who finds nothing waits until the file is touched. */
export function bareSqlite(path: string): Transport {
  const db = openDatabase(path);
  const queues = new Map<string, Queue>();
  const queueOf = (channel: string) => {
    const queue = queues.get(channel) ?? new Queue(db, path, channel);
    queues.set(channel, queue);
    return queue;
  };
  return {
    ...withoutGroups,
    async send(channel, message) {
      queueOf(channel).put([message]);
    },
    async sendMany(channel, messages) {
      queueOf(channel).put(messages);
      return messages.map(() => ({ accepted: true }));
    },
    receive: (channel) => queueOf(channel).takeOne(),
    receiveMany: (channel, { max }) => queueOf(channel).take(max),
    async close() {
      db.close();
    },
  };
}

class Queue {
  readonly #bell: number;
  readonly #insert;
  readonly #insertAll;
  readonly #take;
  readonly #ahead: unknown[] = [];
  #onRing: (() => void) | undefined;

  constructor(db: Database, path: string, channel: string) {
    untilFree(() => db.exec(`CREATE TABLE IF NOT EXISTS "${channel}" (id INTEGER PRIMARY KEY, body BLOB)`));
    const insert = db.prepare<[Uint8Array]>(`INSERT INTO "${channel}" (body) VALUES (?)`);
    this.#insert = insert;
    this.#insertAll = db.transaction((bodies: readonly Uint8Array[]) => {
      for (const body of bodies) insert.run(body);
    });
    this.#take = db
      .prepare<[number], Uint8Array>(
        `DELETE FROM "${channel}" WHERE id < ? + (SELECT min(id) FROM "${channel}") RETURNING body`,
      )
      .pluck();
    this.#bell = openSync(`${path}-${channel}`, 'a+');
    watch(`${path}-${channel}`, { persistent: false }, () => this.#onRing?.());
  }

  put(messages: readonly BenchMessage[]): void {
    const [first] = messages;
    if (messages.length === 1 && first !== undefined) untilFree(() => this.#insert.run(encode(first)));
    else {
      const bodies = messages.map((message) => encode(message));
      untilFree(() => this.#insertAll.immediate(bodies));
    }
    writeSync(this.#bell, '\n', 0);
  }

  async takeOne(): Promise<unknown> {
    if (this.#ahead.length === 0) this.#ahead.push(...(await this.take(rowsPerTake)));
    return this.#ahead.shift();
  }

  async take(max: number): Promise<unknown[]> {
    for (;;) {
      const rung = new Promise<void>((resolve) => {
        this.#onRing = resolve;
      });
      const bodies = untilFree(() => this.#take.all(max));
      if (bodies.length > 0) return bodies.map((body) => decode(body));
      await rung;
    }
  }
}

/** While the other process has the lock, which is for some microseconds, it is tried again. */
function untilFree<T>(work: () => T): T {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) throw error;
    }
  }
}
