// The messages and groups of the embedded layer, on one open connection. All methods are synchronous and
// short.

import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { channelsByKey } from '../../channel-name.js';
import { deadLetterSuffix } from '../../leases.js';
import {
  checkpointEvery,
  type Database,
  pagesPerCheckpoint,
  plucked,
  refuseOtherVersion,
} from './database.js';
import { LeaseStore } from './lease-store.js';
import type { NewMessage, NewMessages, OnDropped, StoredMessage } from './stored-message.js';
import { besideDatabase } from './wake-file.js';

/** A message for all members of a group. */
export interface GroupMessage {
  readonly group: string;
  readonly body: Uint8Array;
  readonly expiresAt: number;
  readonly capacity: (channel: string) => number;
  readonly now: number;
}

/** The keys of a group's members that had room, and those that had none. */
export interface GroupKeys {
  readonly accepted: string[];
  readonly full: string[];
}

/** Free pages that stay in the file (4 MB), and the most that one sweep gives back (8 MB). */
const freePagesKept = 1000;
const freePagesReturned = 2000;
/** SQLite starts the `-wal` again at half of this, unless readers never pause. */
const mostWalBytes = 2 ** 25;
/** With less free disk space than this, each commit is written back at once. */
const littleRoomBytes = 2 ** 25;

export class MessageStore {
  readonly #db: Database;
  readonly leases: LeaseStore;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #onDropped: OnDropped;
  #hasNews = false;

  constructor(db: Database, onDropped: OnDropped) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#onDropped = onDropped;
    this.leases = new LeaseStore(db, this);
  }

  /** Whether messages were added since the last call, so that waiters must be woken. */
  takeNews(): boolean {
    const hasNews = this.#hasNews;
    this.#hasNews = false;
    return hasNews;
  }

  /** Requests that waiters are woken after the commit. */
  noteNews(): void {
    this.#hasNews = true;
  }

  /**
   * Runs writes in one transaction; nested calls join it. All writes go through it, since it checks that no
   * newer version has changed the file.
   *
   * @throws LayerFileError
   */
  atomically<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#statements.begin.run();
    try {
      refuseOtherVersion(this.#db.name, this.#statements.version.get());
      const result = work();
      this.#statements.commit.run();
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
  }

  /** Adds a message unless its key already has `capacity` unexpired messages. Returns whether it did. */
  put(message: NewMessage): boolean {
    const { key, channels, body, expiresAt, capacity, now } = message;
    const names = namesOf(key, channels);
    const { changes } = this.#statements.insertByLength.run(key, capacity, key, key, expiresAt, names, body);
    if (changes === 1) {
      this.noteNews();
      return true;
    }
    // The positions span more than the capacity: count the messages. A refused sender does not write.
    if (Number(this.#statements.countUnexpired.get(key, now, capacity)) >= capacity) return false;
    return this.putMany({ ...message, bodies: [body] }) === 1;
  }

  /** Adds messages in order, as many as fit. Returns how many it added. */
  putMany({ key, channels, bodies, capacity, now, expiresAt }: NewMessages): number {
    return this.atomically(() => {
      const room = this.#room(key, capacity, bodies.length, now);
      const names = namesOf(key, channels);
      const accepted = bodies.slice(0, room);
      let position = this.#statements.lastPosition.get(key) ?? 0;
      for (const body of accepted) this.#statements.insert.run(key, ++position, expiresAt, names, body);
      if (accepted.length > 0) this.noteNews();
      return accepted.length;
    });
  }

  /**
   * Returns when a key has a message to take, in milliseconds since 1970. 0: now, though it may have expired.
   * Undefined: never. Otherwise: when the first lease ends. Only reads.
   */
  availableAt(key: string): number | undefined {
    return this.#statements.availableAt.get(key, key) ?? undefined;
  }

  /** Takes at most `max` of the first messages of a key, without the expired ones. */
  take(key: string, max: number, now: number): StoredMessage[] {
    const rows = this.atomically(() => this.#statements.take.all(key, max, key));
    if (rows.length > 1) rows.sort((a, b) => a.position - b.position);
    const living = rows.filter(({ expires_at }) => expires_at > now);
    if (living.length < rows.length) this.drop(key, 'expired', rows.length - living.length);
    return living.map(({ channels, body }) => ({ channels: channels?.split(' ') ?? [key], body }));
  }

  /** Whether a message fits under a key. */
  hasRoom(key: string, capacity: number, now: number): boolean {
    return this.#room(key, capacity, 1, now) > 0;
  }

  /** Lists the dead letters of one channel, or of all, the oldest first. */
  deadLetters(key: string | null): DeadRow[] {
    return this.#statements.deadLetters.all(key, key);
  }

  /** Removes one message. Returns false if it is gone. */
  removeAt(key: string, position: number, expiresAt: number): boolean {
    return this.#statements.removeAt.run(key, position, expiresAt).changes === 1;
  }

  /** Drops the oldest message of a full key. */
  dropFirst(key: string): void {
    if (this.#statements.take.all(key, 1, key).length > 0) this.drop(key, 'overflow', 1);
  }

  /** Reports dropped messages. */
  drop(...dropped: Parameters<OnDropped>): void {
    this.#onDropped(...dropped);
  }

  addMember(group: string, channel: string, expiresAt: number): void {
    this.#statements.addMember.run(group, channel, expiresAt);
  }

  removeMember(group: string, channel: string): void {
    this.#statements.removeMember.run(group, channel);
  }

  /**
   * Adds one message under the key of each member that has room. A process gets one message for all its
   * channels.
   */
  putToGroup({ group, body, expiresAt, capacity, now }: GroupMessage): GroupKeys {
    return this.atomically(() => {
      const keys: GroupKeys = { accepted: [], full: [] };
      for (const [key, channels] of channelsByKey(this.#statements.members.all(group, now))) {
        const [first = key] = channels;
        const isPut = this.put({ key, channels, body, expiresAt, now, capacity: capacity(first) });
        keys[isPut ? 'accepted' : 'full'].push(key);
      }
      return keys;
    });
  }

  /** Removes all messages and groups. */
  clear(): void {
    this.atomically(() => this.#db.exec('DELETE FROM message; DELETE FROM lease; DELETE FROM membership'));
  }

  /**
   * Removes expired messages of unused channels, ended memberships, and free pages. Reads only the head of
   * each queue, since messages expire in order. Returns whether more free pages remain.
   */
  sweep(now: number, expiryMsOf: (key: string) => number): boolean {
    return this.atomically(() => {
      this.leases.sweep(now, expiryMsOf);
      for (const { key, expires_at } of this.#statements.heads.all())
        if (expires_at <= now) this.#purge(key, now);
      this.#statements.endMemberships.run(now);
      const free = Number(this.#statements.freePages.get());
      if (free <= 2 * freePagesKept) return false;
      this.#db.pragma(`incremental_vacuum(${freePagesReturned})`);
      return free - freePagesReturned > 2 * freePagesKept;
    });
  }

  /** Empties the `-wal`. Returns false when readers or a full disk prevent it. */
  emptyWal(): boolean {
    try {
      const [result] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as Array<{ readonly busy: number }>;
      return result?.busy === 0;
    } catch {
      return false;
    }
  }

  /**
   * Bounds the `-wal`. On a full disk SQLite could not write it back, since the database may have to grow. So
   * with little free space each commit is written back at once.
   */
  boundWal(): void {
    const { name } = this.#db;
    const { bavail, bsize } = statfsSync(dirname(name));
    checkpointEvery(this.#db, bavail * bsize < littleRoomBytes ? 1 : pagesPerCheckpoint);
    const wal = statSync(besideDatabase(name, '-wal'), { throwIfNoEntry: false });
    if (wal !== undefined && wal.size > mostWalBytes) this.emptyWal();
  }

  /** Runs a rare read-only query. */
  query<T>(sql: string, parameters: ReadonlyArray<string | number | null>): T[] {
    return this.#db.prepare<Array<string | number | null>, T>(sql).all(...parameters);
  }

  close(): void {
    this.#db.close();
  }

  /** Returns how many messages fit under a key; it counts at most `wanted`. */
  #room(key: string, capacity: number, wanted: number, now: number): number {
    const room = capacity - Number(this.#statements.length.get(key, key));
    if (room >= wanted) return room;
    // The positions span more than the capacity: count the messages.
    this.#purge(key, now);
    return Math.max(0, capacity - Number(this.#statements.countUnexpired.get(key, now, capacity)));
  }

  #purge(key: string, now: number): void {
    const { changes } = this.#statements.purge.run(key, now);
    if (changes > 0) this.drop(key, 'expired', changes);
  }
}

/** Null for a general channel, whose messages have no other channels. */
function namesOf(key: string, channels: readonly string[]): string | null {
  return key.endsWith('!') ? channels.join(' ') : null;
}

interface MessageRow {
  readonly position: number;
  readonly expires_at: number;
  readonly channels: string | null;
  readonly body: Uint8Array;
}

interface DeadRow extends Omit<MessageRow, 'channels'> {
  readonly key: string;
}

/** SQLite plans a statement with a bare `LIMIT ?` again for each run. */
function prepare(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    version: db.prepare('PRAGMA user_version').pluck(),
    freePages: db.prepare('PRAGMA freelist_count').pluck(),

    // Without room the position is NULL, and `OR IGNORE` skips the row.
    insertByLength: db.prepare<[string, number, string, string, number, string | null, Uint8Array]>(`
      INSERT OR IGNORE INTO message (key, position, expires_at, channels, body)
      VALUES (
        ?,
        (SELECT CASE WHEN last IS NULL OR last - first + 1 < ? THEN coalesce(last, 0) + 1 END
        FROM (SELECT
          (SELECT position FROM message WHERE key = ? ORDER BY position DESC LIMIT 1) AS last,
          (SELECT position FROM message WHERE key = ? ORDER BY position LIMIT 1) AS first)),
        ?, ?, ?)`),
    insert: db.prepare<[string, number, number, string | null, Uint8Array]>(
      'INSERT INTO message (key, position, expires_at, channels, body) VALUES (?, ?, ?, ?, ?)',
    ),
    lastPosition: plucked<[string], number>(
      db.prepare('SELECT position FROM message WHERE key = ? ORDER BY position DESC LIMIT 1'),
    ),
    // The span of the positions: at least the number of messages.
    length: plucked<[string, string], number>(
      db.prepare(`
      SELECT coalesce(
        (SELECT position FROM message WHERE key = ? ORDER BY position DESC LIMIT 1)
          - (SELECT position FROM message WHERE key = ? ORDER BY position LIMIT 1) + 1, 0)`),
    ),
    countUnexpired: db
      .prepare<[string, number, number]>(
        'SELECT count(*) FROM (SELECT 1 FROM message WHERE key = ? AND expires_at > ? LIMIT CAST(? AS INTEGER))',
      )
      .pluck(),
    purge: db.prepare<[string, number]>('DELETE FROM message WHERE key = ? AND expires_at <= ?'),
    availableAt: plucked<[string, string], number | null>(
      db.prepare(`
      SELECT coalesce(
        (SELECT 0 FROM message WHERE key = ? LIMIT 1),
        (SELECT ends_at FROM lease WHERE key = ? ORDER BY ends_at LIMIT 1))`),
    ),
    // The first positions of the queue. They are unique, so these are at most that many messages.
    take: db.prepare<[string, number, string], MessageRow>(`
      DELETE FROM message
      WHERE key = ? AND position < ? + (SELECT position FROM message WHERE key = ? ORDER BY position LIMIT 1)
      RETURNING position, expires_at, channels, body`),
    deadLetters: db.prepare<[string | null, string | null], DeadRow>(`
      SELECT key, position, body, expires_at FROM message
      WHERE (? IS NULL AND key LIKE '%${deadLetterSuffix}') OR key = ? ORDER BY expires_at, position`),
    removeAt: db.prepare<[string, number, number]>(
      'DELETE FROM message WHERE key = ? AND position = ? AND expires_at = ?',
    ),

    addMember: db.prepare<[string, string, number]>(`
      INSERT INTO membership (group_name, channel, expires_at) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at`),
    removeMember: db.prepare<[string, string]>('DELETE FROM membership WHERE group_name = ? AND channel = ?'),
    members: plucked<[string, number], string>(
      db.prepare('SELECT channel FROM membership WHERE group_name = ? AND expires_at > ?'),
    ),

    // Steps from key to key, so that long queues cost no more than short ones.
    heads: db.prepare<[], { key: string; expires_at: number }>(`
      WITH RECURSIVE head (key) AS (
        SELECT (SELECT key FROM message ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM message WHERE key > head.key ORDER BY key LIMIT 1) FROM head WHERE key IS NOT NULL)
      SELECT key, (SELECT expires_at FROM message WHERE message.key = head.key ORDER BY position LIMIT 1) AS expires_at
      FROM head WHERE key IS NOT NULL`),
    endMemberships: db.prepare<[number]>('DELETE FROM membership WHERE expires_at <= ?'),
  };
}
