// The statements of the embedded layer, on one open connection. All of it is synchronous and short.

import { type DroppedMessage, messageKey } from '../../layer.js';
import { type Database, listed, plucked } from './database.js';
import { bellOf } from './doorbell.js';
import { LeaseStore } from './lease-store.js';
import { LookStore } from './look-store.js';
import { countOf, type Packed, pack, unpack } from './parcel.js';

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
  /** How many times it was handed out on lease, this time included; undefined for never. */
  readonly deliveries?: number | undefined;
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
  readonly look: LookStore;
  readonly #onDropped: OnDropped;
  /** What is to be told of the transaction under way when it is committed. */
  #untold: Array<() => void> = [];
  #sweptUpTo = '';
  /** One bit for each bell that is to be rung. */
  #bells = 0;
  #lastKey = '';
  #lastBell = 0;

  constructor(db: Database, onDropped: OnDropped) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#onDropped = onDropped;
    this.leases = new LeaseStore(db, this);
    this.look = new LookStore(db);
  }

  /** Whether something was filed since the bells were taken. */
  get hasFiled(): boolean {
    return this.#bells !== 0;
  }

  /** Returns the bells of the keys under which something was filed since the last time: a bit for each. */
  takeBells(): number {
    const bells = this.#bells;
    this.#bells = 0;
    return bells;
  }

  /** Has who waits under the key look, as if a message had been filed. */
  announce(key: string): void {
    if (key !== this.#lastKey) {
      this.#lastKey = key;
      this.#lastBell = 1 << bellOf(key);
    }
    this.#bells |= this.#lastBell;
  }

  /** Runs several writes as one; inside of another one it is a part of that. */
  atomically<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#statements.begin.run();
    try {
      const result = work();
      this.#statements.commit.run();
      this.#tell();
      return result;
    } catch (error) {
      this.#untold = [];
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
      if (this.#count(key) >= capacity) return false;
      return this.#insertByLength({ ...message, capacity: Number.MAX_SAFE_INTEGER });
    });
  }

  /** Files messages in their order, as many as the capacity leaves room for; returns how many. */
  putMany({ key, channels, bodies, capacity, now, expiresAt }: NewMessages): number {
    return this.atomically(() => {
      const ends = this.#ends(key);
      const room = this.#room(key, ends, capacity, bodies.length, now);
      const names = namesOf(key, channels);
      const accepted = room < bodies.length ? bodies.slice(0, room) : bodies;
      let place = ends.last;
      for (const parcel of pack(accepted)) {
        place += parcel.count;
        this.#insert(key, place, expiresAt, names, parcel);
      }
      if (accepted.length > 0) this.announce(key);
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
    this.#remove(key, 1, 1, () => this.drop(key, 'overflow', 1));
  }

  /** Notes that messages were thrown away. */
  drop(...dropped: Parameters<OnDropped>): void {
    this.whenCertain(() => this.#onDropped(...dropped));
  }

  /** Tells something once what was written so far is committed: a transaction that fails is done again from the start. */
  whenCertain(tell: () => void): void {
    this.#untold.push(tell);
    if (!this.#db.inTransaction) this.#tell();
  }

  /**
   * Takes the first unexpired messages under a key, at most `limit`, and fewer when some of them were expired.
   *
   * @param wanted from so many on it is not looked whether a part of a further parcel would fit in, too
   */
  take(key: string, limit: number, now: number, wanted = limit): TakenMessage[] {
    const taken: TakenMessage[] = [];
    let expired = 0;
    this.#remove(key, limit, wanted, (row, skipped, taking) => {
      const [, , expiresAt, channels, sizes, body] = row;
      if (expiresAt <= now) {
        expired += taking;
        return;
      }
      const names = channels?.split(' ') ?? [key];
      for (const each of unpack({ sizes, body }, skipped, taking))
        taken.push({ channels: names, body: each, expiresAt });
    });
    if (expired > 0) this.drop(key, 'expired', expired);
    return taken;
  }

  /** Puts messages that were taken back in front of all others, in their order. */
  putBack(key: string, messages: readonly TakenMessage[]): void {
    this.atomically(() => {
      let place = this.#ends(key).before - messages.length;
      for (const { expiresAt, channels, body } of messages)
        this.#insert(key, ++place, expiresAt, namesOf(key, channels), { count: 1, sizes: null, body });
    });
    this.announce(key);
  }

  /** A number that changes when another connection has committed something. Reads only. */
  dataVersion(): unknown {
    return this.#statements.dataVersion.get();
  }

  /** Whether a row lies at a place under a key. */
  isThere(key: string, place: number): boolean {
    return this.#statements.isThere.get(key, place) !== undefined;
  }

  removeAt(key: string, place: number): void {
    this.#statements.removeAt.run(key, place);
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
      const accepted: string[] = [];
      for (const [key, channels] of this.#membersByKey(group, now)) {
        const [first = key] = channels;
        const isAccepted = this.put({ key, channels, body, expiresAt, now, capacity: capacity(first) });
        if (isAccepted) accepted.push(key);
      }
      return accepted;
    });
  }

  /** Removes all messages and groups. */
  clear(): void {
    this.atomically(() => {
      this.#db.exec('DELETE FROM parcel; DELETE FROM lease; DELETE FROM membership');
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
    const { changes } = insert.run(key, capacity, key, key, expiresAt, names, body);
    if (changes === 1) this.announce(key);
    return changes === 1;
  }

  #insert(
    key: string,
    place: number,
    expiresAt: number,
    names: string | null,
    { count, sizes, body }: Packed,
  ): void {
    this.#statements.insert.run(key, place, count, expiresAt, names, sizes, body);
  }

  /**
   * Takes the first `limit` messages out, or all; in their order, and without looking at their expiry. If others take
   * some meanwhile, those behind them are taken. Of each row `taking` messages are taken, after those that were before.
   *
   * Outside of a transaction what was taken is committed at once; so after the first row an error, as of a lock that
   * another process holds, only ends it.
   */
  #remove(key: string, limit: number, wanted: number, onRow: OnRow): void {
    let left = limit;
    const whole = this.#statements.takeWhole.all(key, limit, key);
    if (whole.length > 1) whole.sort(([a], [b]) => a - b);
    for (const row of whole) {
      const [, count, , , sizes] = row;
      left -= count;
      onRow(row, countOf({ sizes }) - count, count);
    }
    if (limit - left >= wanted) return;
    try {
      this.#removePart(key, left, onRow);
    } catch (error) {
      if (left === limit || this.#db.inTransaction) throw error;
    }
  }

  /** Takes the first so many messages out of the first row, if that holds more. */
  #removePart(key: string, wanted: number, onRow: OnRow): void {
    if (Number(this.#statements.firstCount.get(key) ?? 0) <= wanted) return;
    for (const row of this.#statements.takePart.all(wanted, key, key, wanted)) {
      const [, count, , , sizes] = row;
      onRow(row, countOf({ sizes }) - count - wanted, wanted);
    }
  }

  #count(key: string): number {
    return Number(this.#statements.count.get(key));
  }

  #purge(key: string, now: number): void {
    const counts = this.#statements.purge.all(key, now);
    if (counts.length > 0)
      this.drop(
        key,
        'expired',
        counts.reduce((sum, count) => sum + count, 0),
      );
  }

  #tell(): void {
    if (this.#untold.length === 0) return;
    const untold = this.#untold;
    this.#untold = [];
    for (const tell of untold) tell();
  }

  #ends(key: string): Ends {
    const { before, last } = this.#statements.ends.get(key, key) ?? {};
    return { before: before ?? 0, last: last ?? 0 };
  }

  /** How many messages there is room for under a key, counted no further than to `wanted`. */
  #room(key: string, { before, last }: Ends, capacity: number, wanted: number, now: number): number {
    const room = capacity - (last - before);
    if (room >= wanted) return room;
    // The two ends are too far apart; count what is between.
    this.#purge(key, now);
    return Math.max(0, capacity - this.#count(key));
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

/** A row as a list, which costs less to make than an object. */
type ParcelRow = [
  place: number,
  count: number,
  expiresAt: number,
  channels: string | null,
  sizes: Uint8Array | null,
  body: Uint8Array,
];

/** Of the row so many messages were taken, after those that were taken before. */
type OnRow = (row: ParcelRow, skipped: number, taking: number) => void;

/** The place before the first message under a key, and that of the last; both 0 when there is none. */
interface Ends {
  readonly before: number;
  readonly last: number;
}

type Text = [string];

/** A bare `LIMIT ?` would have SQLite plan the statement anew whenever it is run, which takes ten times as long as to run it. */
function prepare(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    dataVersion: db.prepare('PRAGMA data_version').pluck(),
    freePages: db.prepare('PRAGMA freelist_count').pluck(),

    // Without room there is no place, and a row without one is ignored. VALUES instead of SELECT … WHERE: that fills a
    // temporary table first, as it reads what it writes, at twice the cost.
    insertByLength: db.prepare<[string, number, string, string, number, string | null, Uint8Array]>(`
      INSERT OR IGNORE INTO parcel (key, place, count, expires_at, channels, body)
      VALUES (
        ?,
        (SELECT CASE WHEN last IS NULL OR last - before < ? THEN coalesce(last, 0) + 1 END
        FROM (SELECT
          (SELECT place FROM parcel WHERE key = ? ORDER BY place DESC LIMIT 1) AS last,
          (SELECT place - count FROM parcel WHERE key = ? ORDER BY place LIMIT 1) AS before)),
        1, ?, ?, ?)`),
    ends: db.prepare<[string, string], { before: number | null; last: number | null }>(`
      SELECT
        (SELECT place - count FROM parcel WHERE key = ? ORDER BY place LIMIT 1) AS before,
        (SELECT place FROM parcel WHERE key = ? ORDER BY place DESC LIMIT 1) AS last`),
    insert: db.prepare<[string, number, number, number, string | null, Uint8Array | null, Uint8Array]>(
      'INSERT INTO parcel (key, place, count, expires_at, channels, sizes, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    count: db.prepare<Text>('SELECT coalesce(sum(count), 0) FROM parcel WHERE key = ?').pluck(),
    countUnexpired: db
      .prepare<[string, number, number]>(`
      SELECT coalesce(sum(count), 0)
      FROM (SELECT count FROM parcel WHERE key = ? AND expires_at > ? LIMIT CAST(? AS INTEGER))`)
      .pluck(),
    purge: plucked<[string, number], number>(
      db.prepare('DELETE FROM parcel WHERE key = ? AND expires_at <= ? RETURNING count'),
    ),

    availableAt: plucked<[string, string], number | null>(
      db.prepare(`
      SELECT coalesce(
        (SELECT 0 FROM parcel WHERE key = ? LIMIT 1),
        (SELECT ends_at FROM lease WHERE key = ? ORDER BY ends_at LIMIT 1))`),
    ),
    // The parcels that lie within the first so many places. No place is taken twice, so these hold no more messages.
    // A range of places instead of `place IN (… LIMIT ?)`: that makes a temporary table, at five times the cost.
    takeWhole: listed<[string, number, string], ParcelRow>(
      db.prepare(`
      DELETE FROM parcel
      WHERE key = ? AND place <= ? + (SELECT place - count FROM parcel WHERE key = ? ORDER BY place LIMIT 1)
      RETURNING place, count, expires_at, channels, sizes, body`),
    ),
    // The first so many messages of the first parcel, if that holds more.
    takePart: listed<[number, string, string, number], ParcelRow>(
      db.prepare(`
      UPDATE parcel SET count = count - ?
      WHERE key = ? AND place = (SELECT place FROM parcel WHERE key = ? ORDER BY place LIMIT 1) AND count > ?
      RETURNING place, count, expires_at, channels, sizes, body`),
    ),
    firstCount: plucked<Text, number>(
      db.prepare('SELECT count FROM parcel WHERE key = ? ORDER BY place LIMIT 1'),
    ),

    isThere: db.prepare<[string, number]>('SELECT 1 FROM parcel WHERE key = ? AND place = ?'),
    removeAt: db.prepare<[string, number]>('DELETE FROM parcel WHERE key = ? AND place = ?'),

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
        SELECT (SELECT key FROM parcel WHERE key > ? ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM parcel WHERE key > head.key ORDER BY key LIMIT 1) FROM head WHERE head.key IS NOT NULL
        LIMIT CAST(? AS INTEGER))
      SELECT key, (SELECT expires_at FROM parcel WHERE parcel.key = head.key ORDER BY place LIMIT 1) AS expires_at
      FROM head WHERE key IS NOT NULL`),
    endMemberships: db.prepare<[number]>('DELETE FROM membership WHERE expires_at <= ?'),
  };
}
