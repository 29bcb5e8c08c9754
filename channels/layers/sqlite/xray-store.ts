// The statements of the X-ray on the embedded layer: what others are told, and looking without taking.

import {
  aliveForMs,
  countsKeptMs,
  eventsKeptMs,
  type LeftEvents,
  type ProcessIdentity,
  type ProcessRecord,
  type Report,
} from '../../xray/source.js';
import type { Counts } from '../../xray/tally.js';
import { type Database, plucked } from './database.js';
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

/** The oldest processes beyond so many are forgotten. */
const mostProcesses = 1000;
/** The same for the counts of channels: each process counts only so many names, but there may be many of them. */
export const mostCounts = 10_000;

export class XrayStore {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#statements = prepare(db);
  }

  /** Returns whether somebody has asked for the process's events since it last left them. Part of a transaction. */
  publish(report: Report, now: number): boolean {
    const { process, counts, receives, events, keepPieces, holdsEvents, isLast } = report;
    const { id } = process;
    for (const [channel, { sent, received, refused, dropped, redelivered }] of counts)
      this.#statements.count.run(channel, sent, received, refused, dropped, redelivered, now);
    if (events !== undefined) {
      this.#statements.forgetPieces.run(id, id, keepPieces);
      this.#statements.leave.run(id, events);
    }
    const leftAt = holdsEvents ? (this.#statements.leftAt.get(id) ?? 0) : now;
    const said = [JSON.stringify(process), JSON.stringify(receives), now, leftAt] as const;
    this.#statements.report.run(id, ...said, holdsEvents ? 1 : 0, isLast ? 1 : 0);
    return (this.#statements.askedAt.get() ?? -1) >= leftAt;
  }

  /** Removes what is too old. */
  sweep(now: number): void {
    // What was used far in the future was used before the clock was set back.
    this.#statements.forgetCounts.run(now - countsKeptMs, now + countsKeptMs);
    this.#statements.forgetMostCounts.run(mostCounts);
    this.#statements.forgetProcesses.run(now - eventsKeptMs, now + eventsKeptMs, mostProcesses);
    this.#statements.forgetEvents.run();
  }

  ask(now: number): void {
    this.#statements.ask.run(now);
  }

  counts(): Array<Counts & { readonly channel: string }> {
    return this.#statements.counts.all();
  }

  processes(now: number): ProcessRecord[] {
    return this.#statements.processes.all().map((row) => ({
      ...(JSON.parse(row.identity) as ProcessIdentity),
      receives: JSON.parse(row.receives) as string[],
      seenAt: row.seen_at,
      // What was seen far in the future was seen before the clock was set back.
      isAlive: row.is_closed === 0 && Math.abs(now - row.seen_at) < aliveForMs,
      holdsEvents: row.holds_events === 1,
      leftAt: row.left_at,
    }));
  }

  leftEvents(): LeftEvents[] {
    return this.#statements.processes.all().map(({ id, identity }) => ({
      process: JSON.parse(identity) as ProcessIdentity,
      pieces: this.#statements.events.all(id),
    }));
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

  members(group: string | undefined, now: number): StoredMember[] {
    return this.#statements.members.all(now, group ?? null, group ?? null);
  }

  clear(): void {
    for (const statement of this.#statements.clear) statement.run();
  }
}

interface ParcelRow extends Packed {
  readonly expires_at: number;
  readonly channels: string | null;
}

interface LeaseRow {
  readonly body: Uint8Array;
  readonly deliveries: number;
  readonly ends_at: number;
}

interface ProcessRow {
  readonly id: string;
  readonly identity: string;
  readonly receives: string;
  readonly seen_at: number;
  readonly left_at: number;
  readonly holds_events: number;
  readonly is_closed: number;
}

function prepare(db: Database) {
  return {
    count: db.prepare<[string, number, number, number, number, number, number]>(`
      INSERT INTO xray_count (channel, sent, received, refused, dropped, redelivered, used_at)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET
        sent = sent + excluded.sent,
        received = received + excluded.received,
        refused = refused + excluded.refused,
        dropped = dropped + excluded.dropped,
        redelivered = redelivered + excluded.redelivered,
        used_at = excluded.used_at`),
    report: db.prepare<[string, string, string, number, number, number, number]>(`
      INSERT INTO xray_process (id, identity, receives, seen_at, left_at, holds_events, is_closed)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET
        receives = excluded.receives,
        seen_at = excluded.seen_at,
        left_at = excluded.left_at,
        holds_events = excluded.holds_events,
        is_closed = excluded.is_closed`),
    leftAt: plucked<[string], number>(db.prepare('SELECT left_at FROM xray_process WHERE id = ?')),
    leave: db.prepare<[string, Uint8Array]>('INSERT INTO xray_events (process, events) VALUES (?, ?)'),
    // Not a bare `LIMIT ?`, for which SQLite plans the statement anew each time.
    forgetPieces: db.prepare<[string, string, number]>(`
      DELETE FROM xray_events WHERE process = ? AND number NOT IN
        (SELECT number FROM xray_events WHERE process = ? ORDER BY number DESC LIMIT CAST(? AS INTEGER))`),
    ask: db.prepare<[number]>(
      'INSERT INTO xray_question (id, asked_at) VALUES (1, ?) ON CONFLICT DO UPDATE SET asked_at = excluded.asked_at',
    ),
    askedAt: plucked<[], number>(db.prepare('SELECT asked_at FROM xray_question')),

    forgetCounts: db.prepare<[number, number]>('DELETE FROM xray_count WHERE used_at NOT BETWEEN ? AND ?'),
    forgetMostCounts: db.prepare<[number]>(`
      DELETE FROM xray_count WHERE channel IN
        (SELECT channel FROM xray_count ORDER BY used_at DESC LIMIT -1 OFFSET ?)`),
    forgetProcesses: db.prepare<[number, number, number]>(`
      DELETE FROM xray_process WHERE seen_at NOT BETWEEN ? AND ? OR id NOT IN
        (SELECT id FROM xray_process ORDER BY seen_at DESC LIMIT ?)`),
    forgetEvents: db.prepare('DELETE FROM xray_events WHERE process NOT IN (SELECT id FROM xray_process)'),

    counts: db.prepare<[], Counts & { channel: string }>(
      'SELECT channel, sent, received, refused, dropped, redelivered FROM xray_count',
    ),
    processes: db.prepare<[], ProcessRow>('SELECT * FROM xray_process'),
    events: plucked<[string], Uint8Array>(
      db.prepare('SELECT events FROM xray_events WHERE process = ? ORDER BY number'),
    ),

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
    members: db.prepare<[number, string | null, string | null], StoredMember>(`
      SELECT group_name AS "group", channel, expires_at AS expiresAt FROM membership
      WHERE expires_at > ? AND (? IS NULL OR group_name = ?) ORDER BY group_name, expires_at`),

    clear: ['xray_count', 'xray_process', 'xray_events', 'xray_question'].map((table) =>
      db.prepare(`DELETE FROM ${table}`),
    ),
  };
}
