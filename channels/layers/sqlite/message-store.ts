// The statements of the embedded layer, on one open connection. All of it is synchronous and short.

import type { Statement } from 'better-sqlite3';
import { messageKey } from '../../layer.js';
import type { Database } from './database.js';

/** A message to be filed. */
export interface NewMessage {
  /** A general channel's name, or the part of a specific one up to the `!`. */
  readonly key: string;
  /** The full names it is for: for a general channel just the key. */
  readonly channels: readonly string[];
  readonly body: Uint8Array;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** How many unexpired messages may lie under the key. */
  readonly capacity: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A message that was taken. */
export interface StoredMessage {
  readonly channels: readonly string[];
  readonly body: Uint8Array;
}

/** A message for all members of a group. */
export interface GroupMessage {
  readonly group: string;
  readonly body: Uint8Array;
  readonly expiresAt: number;
  readonly capacity: (channel: string) => number;
  readonly now: number;
}

/** How many keys one sweep looks at; the next one goes on from there. */
const keysPerSweep = 500;
/** Free pages that stay in the file for reuse (4 MB), and how many of the rest one sweep gives back (2 MB). */
const freePagesKept = 1000;
const freePagesReturned = 500;

export class MessageStore {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #onExpired: (key: string, count: number) => void;
  /** What was purged in the transaction under way; told when it is certain. */
  #expired: Array<readonly [key: string, count: number]> = [];
  #sweptUpTo = '';
  #filed = 0;

  /** @param onExpired told of each key from under which expired messages were thrown away */
  constructor(db: Database, onExpired: (key: string, count: number) => void) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#onExpired = onExpired;
  }

  /** Counts the messages that were filed here, so that one sees whether there are new ones. */
  get filed(): number {
    return this.#filed;
  }

  /** Runs several writes as one; inside of another one it is a part of that. */
  atomically<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#statements.begin.run();
    try {
      const result = work();
      this.#statements.commit.run();
      this.#tellExpired();
      return result;
    } catch (error) {
      this.#expired = [];
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
  }

  /**
   * Files a message, unless as many unexpired ones as the capacity lie under its key. One statement in all but
   * two cases: the queue is full, or only its expired messages make it so.
   */
  put(message: NewMessage): boolean {
    const { key, now, capacity } = message;
    if (this.#insertByLength(message)) return true;
    // The two ends are too far apart; count what is between. A refused sender does not write.
    if (Number(this.#statements.countUnexpired.get(key, now, capacity)) >= capacity) return false;
    return this.atomically(() => {
      this.#purge(key, now);
      if (Number(this.#statements.count.get(key)) >= capacity) return false;
      return this.#insertByLength({ ...message, capacity: Number.MAX_SAFE_INTEGER });
    });
  }

  /** Whether anything lies under a key, expired or not. Reads only. */
  has(key: string): boolean {
    return this.#statements.has.get(key) !== undefined;
  }

  /** Takes the first unexpired messages under a key, at most `limit` and often fewer: ask `has` for more. */
  take(key: string, limit: number, now: number): StoredMessage[] {
    // No place is taken twice, so this many places hold that many messages or, where some expired, fewer.
    const rows = this.#statements.take.all(key, limit, key);
    if (rows.length > 1) rows.sort((a, b) => a.id - b.id);
    const fresh = rows.filter((row) => row.expires_at > now);
    if (fresh.length < rows.length) this.#onExpired(key, rows.length - fresh.length);
    return fresh.map((row) => ({ channels: row.channels?.split(' ') ?? [key], body: row.body }));
  }

  /** A number that changes when another connection has committed something. Reads only. */
  dataVersion(): unknown {
    return this.#statements.dataVersion.get();
  }

  addMember(group: string, channel: string, expiresAt: number): void {
    this.#statements.addMember.run(group, channel, expiresAt);
  }

  removeMember(group: string, channel: string): void {
    this.#statements.removeMember.run(group, channel);
  }

  /**
   * Files one message under the key of each member that has room; a process gets one for all its channels.
   *
   * @returns the keys it lies under now
   */
  putToGroup({ group, body, expiresAt, capacity, now }: GroupMessage): string[] {
    return this.atomically(() => {
      const keys: string[] = [];
      for (const [key, channels] of this.#membersByKey(group, now)) {
        const [first = key] = channels;
        if (this.put({ key, channels, body, expiresAt, now, capacity: capacity(first) })) keys.push(key);
      }
      return keys;
    });
  }

  /** Removes all messages and groups. */
  clear(): void {
    this.atomically(() => {
      this.#db.exec('DELETE FROM message; DELETE FROM membership');
    });
  }

  /**
   * Removes what nobody asks for any more: expired messages of dead processes and deserted channels, memberships
   * that ended, pages that a burst left behind. Looks at the heads of the queues, so it is cheap however long they
   * are: messages expire in their order, save where senders differ in their `expiry`.
   */
  sweep(now: number): void {
    this.atomically(() => {
      const heads = this.#statements.heads.all(this.#sweptUpTo, keysPerSweep);
      for (const { key, expires_at } of heads) if (expires_at <= now) this.#purge(key, now);
      this.#sweptUpTo = heads.length < keysPerSweep ? '' : (heads.at(-1)?.key ?? '');
      this.#statements.endMemberships.run(now);
      this.#returnFreePages();
    });
  }

  /** Writes the `-wal` file back and cuts it off, if no other process is reading just now. */
  truncateWal(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    this.#db.close();
  }

  #insertByLength({ key, expiresAt, channels, body, capacity }: NewMessage): boolean {
    const insert = this.#statements.insertByLength;
    const names = key.endsWith('!') ? channels.join(' ') : null;
    const { changes } = insert.run(key, expiresAt, names, body, key, key, capacity);
    this.#filed += changes;
    return changes === 1;
  }

  #purge(key: string, now: number): void {
    const { changes } = this.#statements.purge.run(key, now);
    if (changes > 0) this.#expired.push([key, changes]);
  }

  #tellExpired(): void {
    if (this.#expired.length === 0) return;
    const expired = this.#expired;
    this.#expired = [];
    for (const [key, count] of expired) this.#onExpired(key, count);
  }

  #membersByKey(group: string, now: number): Map<string, string[]> {
    const byKey = new Map<string, string[]>();
    for (const channel of this.#statements.members.all(group, now)) {
      const key = messageKey(channel);
      const channels = byKey.get(key);
      if (channels === undefined) byKey.set(key, [channel]);
      else channels.push(channel);
    }
    return byKey;
  }

  #returnFreePages(): void {
    const free = Number(this.#statements.freePages.get());
    if (free > freePagesKept + freePagesReturned) this.#db.pragma(`incremental_vacuum(${freePagesReturned})`);
  }
}

interface MessageRow {
  readonly id: number;
  readonly expires_at: number;
  readonly channels: string | null;
  readonly body: Uint8Array;
}

type Text = [string];

function prepare(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    dataVersion: db.prepare('PRAGMA data_version').pluck(),
    freePages: db.prepare('PRAGMA freelist_count').pluck(),

    insertByLength: db.prepare<[string, number, string | null, Uint8Array, string, string, number]>(`
      INSERT INTO message (key, id, expires_at, channels, body)
      SELECT ?, coalesce(last, 0) + 1, ?, ?, ?
      FROM (SELECT
        (SELECT id FROM message WHERE key = ? ORDER BY id DESC LIMIT 1) AS last,
        (SELECT id FROM message WHERE key = ? ORDER BY id LIMIT 1) AS first)
      WHERE last IS NULL OR last - first + 1 < ?`),
    count: db.prepare<Text>('SELECT count(*) FROM message WHERE key = ?').pluck(),
    countUnexpired: db
      .prepare<[string, number, number]>(`
      SELECT count(*) FROM (SELECT 1 FROM message WHERE key = ? AND expires_at > ? LIMIT ?)`)
      .pluck(),
    purge: db.prepare<[string, number]>('DELETE FROM message WHERE key = ? AND expires_at <= ?'),

    has: db.prepare<Text>('SELECT 1 FROM message WHERE key = ? LIMIT 1').pluck(),
    // A range of places instead of `id IN (… LIMIT ?)`: that makes a temporary table, at five times the cost.
    take: db.prepare<[string, number, string], MessageRow>(`
      DELETE FROM message
      WHERE key = ? AND id < ? + (SELECT id FROM message WHERE key = ? ORDER BY id LIMIT 1)
      RETURNING id, expires_at, channels, body`),

    addMember: db.prepare<[string, string, number]>(`
      INSERT INTO membership (group_name, channel, expires_at) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at`),
    removeMember: db.prepare<[string, string]>('DELETE FROM membership WHERE group_name = ? AND channel = ?'),
    members: plucked<[string, number], string>(
      db.prepare('SELECT channel FROM membership WHERE group_name = ? AND expires_at > ?'),
    ),

    // Hops from key to key, so that long queues cost no more than short ones.
    heads: db.prepare<[string, number], { key: string; expires_at: number }>(`
      WITH RECURSIVE head (key) AS (
        SELECT (SELECT key FROM message WHERE key > ? ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM message WHERE key > head.key ORDER BY key LIMIT 1) FROM head WHERE head.key IS NOT NULL
        LIMIT ?)
      SELECT key, (SELECT expires_at FROM message WHERE message.key = head.key ORDER BY id LIMIT 1) AS expires_at
      FROM head WHERE key IS NOT NULL`),
    endMemberships: db.prepare<[number]>('DELETE FROM membership WHERE expires_at <= ?'),
  };
}

function plucked<P extends unknown[], R>(statement: Statement<P, R>): Statement<P, R> {
  return statement.pluck();
}
