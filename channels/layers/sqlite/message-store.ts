// The statements of the embedded layer, on one open connection. All of it is synchronous and short.

import { type DroppedMessage, messageKey } from '../../layer.js';
import { type Database, plucked } from './database.js';
import { LeaseStore } from './lease-store.js';

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

/** Messages for one key, of one sender. */
export interface NewMessages extends Omit<NewMessage, 'body'> {
  readonly bodies: readonly Uint8Array[];
}

/** A message that was taken. */
export interface StoredMessage {
  readonly channels: readonly string[];
  readonly body: Uint8Array;
}

/** The same, with what is needed to put it back. */
export interface TakenMessage extends StoredMessage {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Told of messages under a key that were thrown away, when it is certain. */
export type OnDropped = (key: string, reason: DroppedMessage['reason'], count: number) => void;

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
  readonly leases: LeaseStore;
  readonly #onDropped: OnDropped;
  /** What was thrown away in the transaction under way. */
  #dropped: Array<Parameters<OnDropped>> = [];
  #sweptUpTo = '';
  #filed = 0;

  constructor(db: Database, onDropped: OnDropped) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#onDropped = onDropped;
    this.leases = new LeaseStore(db, this);
  }

  /** Counts the messages that were filed here, so that one sees whether there are new ones. */
  get filed(): number {
    return this.#filed;
  }

  /** Has who waits look, as if a message had been filed. */
  announce(): void {
    this.#filed++;
  }

  /** Runs several writes as one; inside of another one it is a part of that. */
  atomically<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#statements.begin.run();
    try {
      const result = work();
      this.#statements.commit.run();
      this.#tellDropped();
      return result;
    } catch (error) {
      this.#dropped = [];
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

  /**
   * Files messages in their order, as many as the capacity leaves room for; returns how many.
   */
  putMany({ key, channels, bodies, capacity, now, expiresAt }: NewMessages): number {
    return this.atomically(() => {
      const ends = this.#ends(key);
      const room = this.#room(key, ends, capacity, bodies.length, now);
      const names = namesOf(key, channels);
      const accepted = room < bodies.length ? bodies.slice(0, room) : bodies;
      let id = ends.last;
      for (const body of accepted) this.#statements.insert.run(key, ++id, expiresAt, names, body);
      this.#filed += accepted.length;
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

  /** Removes the oldest message under a key, as one that was dropped for the lack of room. */
  dropFirst(key: string): void {
    if (this.#statements.take.all(key, 1, key).length > 0) this.drop(key, 'overflow', 1);
  }

  /** Notes that messages were thrown away. */
  drop(...dropped: Parameters<OnDropped>): void {
    this.#dropped.push(dropped);
    if (!this.#db.inTransaction) this.#tellDropped();
  }

  /** Takes the first unexpired messages under a key, at most `limit` and often fewer: ask `availableAt` for more. */
  take(key: string, limit: number, now: number): TakenMessage[] {
    // No place is taken twice, so this many places hold that many messages or, where some expired, fewer.
    const rows = this.#statements.take.all(key, limit, key);
    if (rows.length > 1) rows.sort((a, b) => a.id - b.id);
    const fresh = rows.filter((row) => row.expires_at > now);
    if (fresh.length < rows.length) this.drop(key, 'expired', rows.length - fresh.length);
    return fresh.map(({ channels, body, expires_at }) => ({
      channels: channels?.split(' ') ?? [key],
      body,
      expiresAt: expires_at,
    }));
  }

  /** Puts messages that were taken back in front of all others, in their order. */
  putBack(key: string, messages: readonly TakenMessage[]): void {
    this.atomically(() => {
      let id = this.#ends(key).first - messages.length;
      for (const { expiresAt, channels, body } of messages)
        this.#statements.insert.run(key, id++, expiresAt, namesOf(key, channels), body);
    });
    this.#filed += messages.length;
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
      this.#db.exec('DELETE FROM message; DELETE FROM lease; DELETE FROM membership');
    });
  }

  /**
   * Removes what nobody asks for any more: expired messages of dead processes and deserted channels, memberships
   * that ended, pages that a burst left behind. Looks at the heads of the queues, so it is cheap however long they
   * are: messages expire in their order, save where senders differ in their `expiry`.
   */
  sweep(now: number, expiryMsOf: (key: string) => number): void {
    this.atomically(() => {
      this.leases.sweep(now, expiryMsOf);
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
    const names = namesOf(key, channels);
    const { changes } = insert.run(key, expiresAt, names, body, key, key, capacity);
    this.#filed += changes;
    return changes === 1;
  }

  #purge(key: string, now: number): void {
    const { changes } = this.#statements.purge.run(key, now);
    if (changes > 0) this.drop(key, 'expired', changes);
  }

  #tellDropped(): void {
    if (this.#dropped.length === 0) return;
    const dropped = this.#dropped;
    this.#dropped = [];
    for (const each of dropped) this.#onDropped(...each);
  }

  /** The first and the last place under a key; 1 and 0 when there is none. */
  #ends(key: string): Ends {
    const { first, last } = this.#statements.ends.get(key, key) ?? {};
    return { first: first ?? 1, last: last ?? 0 };
  }

  /** How many messages there is room for under a key, counted no further than to `wanted`. */
  #room(key: string, { first, last }: Ends, capacity: number, wanted: number, now: number): number {
    const room = capacity - (last - first + 1);
    if (room >= wanted) return room;
    // The two ends are too far apart; count what is between.
    this.#purge(key, now);
    return Math.max(0, capacity - Number(this.#statements.count.get(key)));
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

/** A general channel's messages are for that channel. */
function namesOf(key: string, channels: readonly string[]): string | null {
  return key.endsWith('!') ? channels.join(' ') : null;
}

interface MessageRow {
  readonly id: number;
  readonly expires_at: number;
  readonly channels: string | null;
  readonly body: Uint8Array;
}

interface Ends {
  readonly first: number;
  readonly last: number;
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
    ends: db.prepare<[string, string], { first: number | null; last: number | null }>(`
      SELECT
        (SELECT id FROM message WHERE key = ? ORDER BY id LIMIT 1) AS first,
        (SELECT id FROM message WHERE key = ? ORDER BY id DESC LIMIT 1) AS last`),
    insert: db.prepare<[string, number, number, string | null, Uint8Array]>(
      'INSERT INTO message (key, id, expires_at, channels, body) VALUES (?, ?, ?, ?, ?)',
    ),
    count: db.prepare<Text>('SELECT count(*) FROM message WHERE key = ?').pluck(),
    countUnexpired: db
      .prepare<[string, number, number]>(`
      SELECT count(*) FROM (SELECT 1 FROM message WHERE key = ? AND expires_at > ? LIMIT ?)`)
      .pluck(),
    purge: db.prepare<[string, number]>('DELETE FROM message WHERE key = ? AND expires_at <= ?'),

    availableAt: plucked<[string, string], number | null>(
      db.prepare(`
      SELECT coalesce(
        (SELECT 0 FROM message WHERE key = ? LIMIT 1),
        (SELECT ends_at FROM lease WHERE key = ? ORDER BY ends_at LIMIT 1))`),
    ),
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
