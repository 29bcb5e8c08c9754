// The messages and groups of the embedded layer, on one open connection. All of it is synchronous and short.

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

/** Free pages that stay in the file for reuse (4 MB), and how many of the rest one sweep gives back (8 MB). */
const freePagesKept = 1000;
const freePagesReturned = 2000;
/** SQLite begins the `-wal` anew at half of this, unless somebody always reads. */
const mostWalBytes = 2 ** 25;
/** With less room on the disk than this, nothing is left in the `-wal`. */
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

  /** Whether there is something new to take, for which others are to be woken, since this was asked last. */
  takeNews(): boolean {
    const hasNews = this.#hasNews;
    this.#hasNews = false;
    return hasNews;
  }

  /** Has those who wait be woken after the commit. */
  noteNews(): void {
    this.#hasNews = true;
  }

  /**
   * Runs several writes as one; inside of another one it is a part of that. All writes go through it: a newer version
   * may have changed the file since the last one.
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

  /** Files a message, unless as many unexpired ones as the capacity lie under its key. */
  put(message: NewMessage): boolean {
    const { key, channels, body, expiresAt, capacity, now } = message;
    const names = namesOf(key, channels);
    const { changes } = this.#statements.insertByLength.run(key, capacity, key, key, expiresAt, names, body);
    if (changes === 1) {
      this.noteNews();
      return true;
    }
    // The two ends of the queue are too far apart. A refused sender does not write.
    if (Number(this.#statements.countUnexpired.get(key, now, capacity)) >= capacity) return false;
    return this.putMany({ ...message, bodies: [body] }) === 1;
  }

  /** Files messages in their order, as many as the capacity leaves room for; returns how many. */
  putMany({ key, channels, bodies, capacity, now, expiresAt }: NewMessages): number {
    return this.atomically(() => {
      const room = this.#room(key, capacity, bodies.length, now);
      const names = namesOf(key, channels);
      const accepted = bodies.slice(0, room);
      let place = this.#statements.lastPlace.get(key) ?? 0;
      for (const body of accepted) this.#statements.insert.run(key, ++place, expiresAt, names, body);
      if (accepted.length > 0) this.noteNews();
      return accepted.length;
    });
  }

  /**
   * From when on there is something to take under a key, in ms since 1970: 0 when messages lie there, expired or not;
   * the end of the first lease when all are handed out; undefined when there are none. Reads only.
   */
  availableAt(key: string): number | undefined {
    return this.#statements.availableAt.get(key, key) ?? undefined;
  }

  /** Takes the first unexpired messages under a key, at most `max`, and fewer when some of them were expired. */
  take(key: string, max: number, now: number): StoredMessage[] {
    const rows = this.atomically(() => this.#statements.take.all(key, max, key));
    if (rows.length > 1) rows.sort((a, b) => a.place - b.place);
    const living = rows.filter(({ expires_at }) => expires_at > now);
    if (living.length < rows.length) this.drop(key, 'expired', rows.length - living.length);
    return living.map(({ channels, body }) => ({ channels: channels?.split(' ') ?? [key], body }));
  }

  /** Whether a message could be put under a key. */
  hasRoom(key: string, capacity: number, now: number): boolean {
    return this.#room(key, capacity, 1, now) > 0;
  }

  /** What lies on channels for dead letters, the oldest first: on one, or on all. */
  deadLetters(key: string | null): DeadRow[] {
    return this.#statements.deadLetters.all(key, key);
  }

  /** Removes one message; false when it is not there any more. */
  removeAt(key: string, place: number, expiresAt: number): boolean {
    return this.#statements.removeAt.run(key, place, expiresAt).changes === 1;
  }

  /** Removes the oldest message under a key, as one that was dropped for the lack of room. */
  dropFirst(key: string): void {
    if (this.#statements.take.all(key, 1, key).length > 0) this.drop(key, 'overflow', 1);
  }

  /** Reports that messages were thrown away. */
  drop(...dropped: Parameters<OnDropped>): void {
    this.#onDropped(...dropped);
  }

  addMember(group: string, channel: string, expiresAt: number): void {
    this.#statements.addMember.run(group, channel, expiresAt);
  }

  removeMember(group: string, channel: string): void {
    this.#statements.removeMember.run(group, channel);
  }

  /** Files one message under the key of each member that has room; a process gets one for all its channels. */
  putToGroup({ group, body, expiresAt, capacity, now }: GroupMessage): string[] {
    return this.atomically(() => {
      const keys = [...channelsByKey(this.#statements.members.all(group, now))];
      const accepted = keys.filter(([key, channels]) => {
        const [first = key] = channels;
        return this.put({ key, channels, body, expiresAt, now, capacity: capacity(first) });
      });
      return accepted.map(([key]) => key);
    });
  }

  /** Removes all messages and groups. */
  clear(): void {
    this.atomically(() => this.#db.exec('DELETE FROM message; DELETE FROM lease; DELETE FROM membership'));
  }

  /**
   * Removes what nobody asks for any more: expired messages of dead processes and deserted channels, memberships
   * that ended, pages that a burst left behind. Looks at the heads of the queues only, since messages expire in their
   * order, save where senders differ in their `expiry`. Returns whether there are more pages to give back.
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

  /** Gives the disk space of the `-wal` back. False when readers or a full disk do not let it. */
  emptyWal(): boolean {
    try {
      const [result] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as Array<{ readonly busy: number }>;
      return result?.busy === 0;
    } catch {
      return false;
    }
  }

  /**
   * Keeps the `-wal` from filling the disk. On a full one it could not be written back, since the file may have to
   * grow for that; so where there is little room each commit is written back at once.
   */
  boundWal(): void {
    const { name } = this.#db;
    const { bavail, bsize } = statfsSync(dirname(name));
    checkpointEvery(this.#db, bavail * bsize < littleRoomBytes ? 1 : pagesPerCheckpoint);
    const wal = statSync(besideDatabase(name, '-wal'), { throwIfNoEntry: false });
    if (wal !== undefined && wal.size > mostWalBytes) this.emptyWal();
  }

  /** Looks at the tables, as seldom asked. */
  query<T>(sql: string, parameters: ReadonlyArray<string | number | null>): T[] {
    return this.#db.prepare<Array<string | number | null>, T>(sql).all(...parameters);
  }

  close(): void {
    this.#db.close();
  }

  /** How many messages there is room for under a key, counted no further than to `wanted`. */
  #room(key: string, capacity: number, wanted: number, now: number): number {
    const room = capacity - Number(this.#statements.length.get(key, key));
    if (room >= wanted) return room;
    // The two ends are too far apart; count what is between.
    this.#purge(key, now);
    return Math.max(0, capacity - Number(this.#statements.countUnexpired.get(key, now, capacity)));
  }

  #purge(key: string, now: number): void {
    const { changes } = this.#statements.purge.run(key, now);
    if (changes > 0) this.drop(key, 'expired', changes);
  }
}

/** A general channel's messages are for that channel. */
function namesOf(key: string, channels: readonly string[]): string | null {
  return key.endsWith('!') ? channels.join(' ') : null;
}

interface MessageRow {
  readonly place: number;
  readonly expires_at: number;
  readonly channels: string | null;
  readonly body: Uint8Array;
}

interface DeadRow extends Omit<MessageRow, 'channels'> {
  readonly key: string;
}

/** A bare `LIMIT ?` would have SQLite plan the statement anew whenever it is run. */
function prepare(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    version: db.prepare('PRAGMA user_version').pluck(),
    freePages: db.prepare('PRAGMA freelist_count').pluck(),

    // Without room there is no place, and a row without one is ignored.
    insertByLength: db.prepare<[string, number, string, string, number, string | null, Uint8Array]>(`
      INSERT OR IGNORE INTO message (key, place, expires_at, channels, body)
      VALUES (
        ?,
        (SELECT CASE WHEN last IS NULL OR last - first + 1 < ? THEN coalesce(last, 0) + 1 END
        FROM (SELECT
          (SELECT place FROM message WHERE key = ? ORDER BY place DESC LIMIT 1) AS last,
          (SELECT place FROM message WHERE key = ? ORDER BY place LIMIT 1) AS first)),
        ?, ?, ?)`),
    insert: db.prepare<[string, number, number, string | null, Uint8Array]>(
      'INSERT INTO message (key, place, expires_at, channels, body) VALUES (?, ?, ?, ?, ?)',
    ),
    lastPlace: plucked<[string], number>(
      db.prepare('SELECT place FROM message WHERE key = ? ORDER BY place DESC LIMIT 1'),
    ),
    // At least the number of messages; more where some between the ends are gone.
    length: plucked<[string, string], number>(
      db.prepare(`
      SELECT coalesce(
        (SELECT place FROM message WHERE key = ? ORDER BY place DESC LIMIT 1)
          - (SELECT place FROM message WHERE key = ? ORDER BY place LIMIT 1) + 1, 0)`),
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
    // The messages within the first so many places. No place is taken twice, so these are not more.
    take: db.prepare<[string, number, string], MessageRow>(`
      DELETE FROM message
      WHERE key = ? AND place < ? + (SELECT place FROM message WHERE key = ? ORDER BY place LIMIT 1)
      RETURNING place, expires_at, channels, body`),
    deadLetters: db.prepare<[string | null, string | null], DeadRow>(`
      SELECT key, place, body, expires_at FROM message
      WHERE (? IS NULL AND key LIKE '%${deadLetterSuffix}') OR key = ? ORDER BY expires_at, place`),
    removeAt: db.prepare<[string, number, number]>(
      'DELETE FROM message WHERE key = ? AND place = ? AND expires_at = ?',
    ),

    addMember: db.prepare<[string, string, number]>(`
      INSERT INTO membership (group_name, channel, expires_at) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at`),
    removeMember: db.prepare<[string, string]>('DELETE FROM membership WHERE group_name = ? AND channel = ?'),
    members: plucked<[string, number], string>(
      db.prepare('SELECT channel FROM membership WHERE group_name = ? AND expires_at > ?'),
    ),

    // Hops from key to key, so that long queues cost no more than short ones.
    heads: db.prepare<[], { key: string; expires_at: number }>(`
      WITH RECURSIVE head (key) AS (
        SELECT (SELECT key FROM message ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM message WHERE key > head.key ORDER BY key LIMIT 1) FROM head WHERE key IS NOT NULL)
      SELECT key, (SELECT expires_at FROM message WHERE message.key = head.key ORDER BY place LIMIT 1) AS expires_at
      FROM head WHERE key IS NOT NULL`),
    endMemberships: db.prepare<[number]>('DELETE FROM membership WHERE expires_at <= ?'),
  };
}
