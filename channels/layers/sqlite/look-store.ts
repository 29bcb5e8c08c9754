// Looking at the embedded layer without taking anything.

import type { Database } from './database.js';
import { countOf, type Packed, unpack } from './parcel.js';

/** A message as it lies in the file. */
export interface StoredPeek {
  /** The full names it is for; undefined for a general channel's. */
  readonly channels: readonly string[] | undefined;
  readonly body: Uint8Array;
  readonly deliveries: number;
  /** Milliseconds since 1970; undefined for one that was leased. */
  readonly expiresAt?: number | undefined;
  /** Milliseconds since 1970; only for one that is on lease. */
  readonly leaseEndsAt?: number | undefined;
}

export interface StoredDepth {
  readonly key: string;
  readonly depth: number;
  /** When the first message expires, in ms since 1970. */
  readonly firstExpiresAt: number | undefined;
  readonly onLease: number;
}

export interface StoredMember {
  readonly group: string;
  readonly channel: string;
  readonly expiresAt: number;
}

export class LookStore {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#statements = prepare(db);
  }

  /** Of all keys under which something lies, or is on lease. */
  depths(now: number): StoredDepth[] {
    const depths = new Map<string, StoredDepth>();
    for (const { key, depth, first_expires_at: firstExpiresAt } of this.#statements.depths.all())
      depths.set(key, { key, depth, firstExpiresAt, onLease: 0 });
    for (const { key, on_lease, over } of this.#statements.leases.all(now)) {
      const { depth = 0, firstExpiresAt } = depths.get(key) ?? {};
      depths.set(key, { key, depth: depth + over, firstExpiresAt, onLease: on_lease });
    }
    return [...depths.values()];
  }

  /** What waits under a key, those first that come again; at most `max`. */
  waiting(key: string, max: number, now: number): StoredPeek[] {
    const found: StoredPeek[] = this.#statements.over
      .all(key, now, max)
      .map(({ body, deliveries }) => ({ channels: undefined, body, deliveries }));
    for (const row of this.#statements.parcels.iterate(key)) {
      if (found.length >= max) break;
      const channels = row.channels?.split(' ');
      for (const body of unpack(row, countOf(row) - row.count, max - found.length))
        found.push({ channels, body, deliveries: 0, expiresAt: row.expires_at });
    }
    return found.slice(0, max);
  }

  /** What is on lease, the first that is over first. */
  onLease(key: string, max: number, now: number): StoredPeek[] {
    return this.#statements.onLease.all(key, now, max).map(({ body, deliveries, ends_at }) => ({
      channels: undefined,
      body,
      deliveries,
      leaseEndsAt: ends_at,
    }));
  }

  /** Single messages on channels for dead letters: on one, or on all. */
  dead(key: string | undefined): DeadRow[] {
    return this.#statements.dead.all(key ?? null, key ?? null);
  }

  members(group: string | undefined, now: number): StoredMember[] {
    return this.#statements.members.all(now, group ?? null, group ?? null);
  }
}

interface ParcelRow extends Packed {
  readonly expires_at: number;
  readonly channels: string | null;
}

export interface DeadRow {
  readonly key: string;
  readonly place: number;
  readonly body: Uint8Array;
  readonly expires_at: number;
}

interface LeaseRow {
  readonly body: Uint8Array;
  readonly deliveries: number;
  readonly ends_at: number;
}

function prepare(db: Database) {
  return {
    // Hops from key to key; the number of messages is the difference of the ends, so that no queue is read through.
    depths: db.prepare<[], { key: string; depth: number; first_expires_at: number }>(`
      WITH RECURSIVE head (key) AS (
        SELECT (SELECT key FROM parcel ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM parcel WHERE key > head.key ORDER BY key LIMIT 1) FROM head
        WHERE head.key IS NOT NULL)
      SELECT key,
        (SELECT place FROM parcel WHERE parcel.key = head.key ORDER BY place DESC LIMIT 1)
          - (SELECT place - count FROM parcel WHERE parcel.key = head.key ORDER BY place LIMIT 1) AS depth,
        (SELECT expires_at FROM parcel WHERE parcel.key = head.key ORDER BY place LIMIT 1) AS first_expires_at
      FROM head WHERE key IS NOT NULL`),
    leases: db.prepare<[number], { key: string; on_lease: number; over: number }>(`
      SELECT key, total - over AS on_lease, over
      FROM (SELECT key, count(*) AS total, sum(ends_at <= ?) AS over FROM lease GROUP BY key)`),
    over: db.prepare<[string, number, number], LeaseRow>(`
      SELECT body, deliveries, ends_at FROM lease WHERE key = ? AND ends_at <= ? ORDER BY id LIMIT ?`),
    onLease: db.prepare<[string, number, number], LeaseRow>(`
      SELECT body, deliveries, ends_at FROM lease WHERE key = ? AND ends_at > ? ORDER BY ends_at LIMIT ?`),
    parcels: db.prepare<[string], ParcelRow>(
      'SELECT count, expires_at, channels, sizes, body FROM parcel WHERE key = ? ORDER BY place',
    ),
    dead: db.prepare<[string | null, string | null], DeadRow>(`
      SELECT key, place, body, expires_at FROM parcel
      WHERE sizes IS NULL AND ((? IS NULL AND key LIKE '%.dead') OR key = ?) ORDER BY expires_at, place`),
    members: db.prepare<[number, string | null, string | null], StoredMember>(`
      SELECT group_name AS "group", channel, expires_at AS expiresAt FROM membership
      WHERE expires_at > ? AND (? IS NULL OR group_name = ?) ORDER BY group_name, expires_at`),
  };
}
