// The table of leased messages. A lease moves a message into it, an acknowledgement deletes the message. A
// message whose lease is over stays in it until somebody takes it.

import { randomInt } from 'node:crypto';
import { encode } from '../../codec/msgpack.js';
import { deadLetter, deadLetterChannel, isDeadLetterChannel } from '../../leases.js';
import type { LayerRules } from '../base-layer.js';
import { readIfPossible } from './body.js';
import { type Database, plucked } from './database.js';
import type { NewMessage, OnDropped, StoredMessage } from './stored-message.js';

/** Identifies one delivery of one message. */
export interface LeaseToken {
  readonly key: string;
  readonly id: number;
  readonly token: number;
}

export interface LeasedRow extends StoredMessage, LeaseToken {
  readonly deliveries: number;
}

/** What leases need from the message store. */
interface WaitingMessages {
  atomically<T>(work: () => T): T;
  put(message: NewMessage): boolean;
  take(key: string, max: number, now: number): StoredMessage[];
  dropFirst(key: string): void;
  drop(...dropped: Parameters<OnDropped>): void;
  noteNews(): void;
}

const tokens = 2 ** 47;

export class LeaseStore {
  readonly #messages: WaitingMessages;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database, messages: WaitingMessages) {
    this.#messages = messages;
    this.#statements = prepare(db);
  }

  /** Leases at most `max` messages of a key, redelivered ones first. It may return fewer. */
  take(key: string, max: number, leaseMs: number, now: number, rules: LayerRules): LeasedRow[] {
    return this.#messages.atomically(() => {
      const token = randomInt(tokens);
      const endsAt = Math.ceil(now + leaseMs);
      const again = this.#over(key, max, now, rules).map(({ id, body, deliveries }) => {
        this.#statements.renew.run(endsAt, token, id);
        return { channels: [key], body, key, id, token, deliveries: deliveries + 1 };
      });
      const left = max - again.length;
      const first = left > 0 ? this.#messages.take(key, left, now) : [];
      return again.concat(
        first.map(({ body }) => {
          const { lastInsertRowid } = this.#statements.insert.run(key, endsAt, token, body);
          return { channels: [key], body, key, id: Number(lastInsertRowid), token, deliveries: 1 };
        }),
      );
    });
  }

  /** Takes messages whose lease is over, for a receiver without a lease. */
  takeOver(key: string, max: number, now: number, rules: LayerRules): StoredMessage[] {
    return this.#messages.atomically(() =>
      this.#over(key, max, now, rules).map(({ id, body }) => {
        this.#statements.remove.run(id);
        return { channels: [key], body };
      }),
    );
  }

  /** Removes a message. Returns false if another receiver has it or it is gone. */
  acknowledge({ id, token }: LeaseToken): boolean {
    return this.#statements.acknowledge.run(id, token).changes === 1;
  }

  /** Moves the end of a lease. Returns false as `acknowledge` does. */
  extend({ id, token }: LeaseToken, leaseMs: number, now: number): boolean {
    const { changes } = this.#statements.extend.run(Math.ceil(now + leaseMs), id, token);
    // The lease may now end before the waiters expect it.
    if (changes === 1) this.#messages.noteNews();
    return changes === 1;
  }

  /** Ends a lease now. Returns false as `acknowledge` does. `untried` does not count the delivery. */
  release({ id, token }: LeaseToken, untried: boolean, now: number): boolean {
    const { changes } = this.#statements.release.run(Math.floor(now), untried ? 1 : 0, id, token);
    if (changes === 1) this.#messages.noteNews();
    return changes === 1;
  }

  /** Drops messages that nobody took within the key's expiry after the end of their lease. */
  sweep(now: number, expiryMsOf: (key: string) => number): void {
    for (const key of this.#statements.keys.all()) {
      const { changes } = this.#statements.purge.run(key, now - expiryMsOf(key));
      if (changes > 0) this.#messages.drop(key, 'expired', changes);
    }
  }

  /** The messages whose lease is over. It removes expired ones and buries dead ones. */
  #over(key: string, max: number, now: number, rules: LayerRules): LeaseRow[] {
    for (;;) {
      const rows = this.#statements.over.all(key, now, max);
      const living = rows.filter((row) => this.#isLiving(key, row, now, rules));
      // After some were removed, there may be more.
      if (living.length === rows.length) return rows;
    }
  }

  #isLiving(key: string, row: LeaseRow, now: number, rules: LayerRules): boolean {
    const isExpired = row.ends_at + rules.expiryMsOf(key) <= now;
    const isDead = row.deliveries >= rules.maxDeliveries && !isDeadLetterChannel(key);
    if (!isExpired && !isDead) return true;
    this.#statements.remove.run(row.id);
    if (isExpired) this.#messages.drop(key, 'expired', 1);
    else this.#bury(key, row, now, rules);
    return false;
  }

  #bury(from: string, { body, deliveries }: LeaseRow, now: number, rules: LayerRules): void {
    const message = readIfPossible(body);
    this.#messages.drop(from, message === undefined ? 'undecodable' : 'dead', 1);
    if (message === undefined) return;
    const key = deadLetterChannel(from);
    const letter = {
      ...{ key, channels: [key], body: encode(deadLetter(from, message, deliveries)) },
      ...{ capacity: rules.capacity(key), now, expiresAt: Math.ceil(now + rules.expiryMsOf(key)) },
    };
    while (!this.#messages.put(letter)) this.#messages.dropFirst(key);
  }
}

interface LeaseRow {
  readonly id: number;
  readonly ends_at: number;
  readonly deliveries: number;
  readonly body: Uint8Array;
}

function prepare(db: Database) {
  return {
    // SQLite plans a statement with a bare `LIMIT ?` again for each run.
    over: db.prepare<[string, number, number], LeaseRow>(`
      SELECT id, ends_at, deliveries, body FROM lease
      WHERE key = ? AND ends_at <= ? ORDER BY id LIMIT CAST(? AS INTEGER)`),
    insert: db.prepare<[string, number, number, Uint8Array]>(
      'INSERT INTO lease (key, ends_at, token, deliveries, body) VALUES (?, ?, ?, 1, ?)',
    ),
    renew: db.prepare<[number, number, number]>(
      'UPDATE lease SET ends_at = ?, token = ?, deliveries = deliveries + 1 WHERE id = ?',
    ),
    remove: db.prepare<[number]>('DELETE FROM lease WHERE id = ?'),
    acknowledge: db.prepare<[number, number]>('DELETE FROM lease WHERE id = ? AND token = ?'),
    extend: db.prepare<[number, number, number]>('UPDATE lease SET ends_at = ? WHERE id = ? AND token = ?'),
    release: db.prepare<[number, number, number, number]>(
      'UPDATE lease SET ends_at = ?, deliveries = deliveries - ? WHERE id = ? AND token = ?',
    ),
    keys: plucked<[], string>(db.prepare('SELECT DISTINCT key FROM lease')),
    purge: db.prepare<[string, number]>('DELETE FROM lease WHERE key = ? AND ends_at <= ?'),
  };
}
