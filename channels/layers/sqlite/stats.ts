// Reads the embedded layer without taking messages.

import { UndecodableError } from '../../errors.js';
import type { GroupReport, KeyDepth, Peeked } from '../../stats.js';
import type { LayerRules, StoreView } from '../base-layer.js';
import { readBody } from './body.js';
import type { LayerFile } from './layer-file.js';

type SqliteStatsOptions = LayerRules & { readonly file: LayerFile };

interface PeekRow {
  /** The full names of its channels; null for a general channel. */
  readonly channels: string | null;
  readonly body: Uint8Array;
  readonly deliveries: number;
  /** Null for a message that was leased. */
  readonly expires_at: number | null;
  readonly ends_at: number | null;
}

interface DepthRow {
  readonly key: string;
  readonly depth: number;
  readonly expires_at: number | null;
  readonly on_lease: number;
}

interface MemberRow {
  readonly group_name: string;
  readonly channel: string;
  readonly expires_at: number;
}

export class SqliteStats implements StoreView {
  readonly #options: SqliteStatsOptions;

  constructor(options: SqliteStatsOptions) {
    this.#options = options;
  }

  depths(): KeyDepth[] {
    const now = this.#now();
    const rows = this.#read<DepthRow>(
      `SELECT key, count(*) AS depth, min(expires_at) AS expires_at, 0 AS on_lease
      FROM message WHERE expires_at > ? GROUP BY key
      UNION ALL
      SELECT key, sum(ends_at <= ?), NULL, sum(ends_at > ?) FROM lease GROUP BY key`,
      [now, now, now],
    );
    return rows.map(({ key, depth, expires_at, on_lease }) => {
      const oldestAt = expires_at === null ? undefined : expires_at - this.#options.expiryMsOf(key);
      return { key, depth, oldestAt, onLease: on_lease };
    });
  }

  /** Lists redelivered messages first; with `onLease`, those whose lease ends first. */
  peek(key: string, max: number, onLease: boolean): Peeked[] {
    const now = this.#now();
    const rows = onLease
      ? this.#read<PeekRow>(
          `SELECT NULL AS channels, body, deliveries, NULL AS expires_at, ends_at
          FROM lease WHERE key = ? AND ends_at > ? ORDER BY ends_at LIMIT ?`,
          [key, now, max],
        )
      : this.#read<PeekRow>(
          `SELECT * FROM (
            SELECT NULL AS channels, body, deliveries, NULL AS expires_at, NULL AS ends_at
            FROM lease WHERE key = ? AND ends_at <= ? ORDER BY id)
          UNION ALL
          SELECT * FROM (
            SELECT channels, body, 0, expires_at, NULL
            FROM message WHERE key = ? AND expires_at > ? ORDER BY position)
          LIMIT ?`,
          [key, now, key, now, max],
        );
    return rows.map((row) => this.#peeked(key, row));
  }

  groups(group: string | undefined): GroupReport[] {
    const rows = this.#read<MemberRow>(
      `SELECT group_name, channel, expires_at FROM membership
      WHERE expires_at > ? AND (? IS NULL OR group_name = ?) ORDER BY group_name, expires_at`,
      [this.#now(), group ?? null, group ?? null],
    );
    const names = [...new Set(rows.map(({ group_name }) => group_name))];
    return names.map((name) => ({
      group: name,
      members: rows
        .filter(({ group_name }) => group_name === name)
        .map(({ channel, expires_at }) => ({ channel, renewedAt: expires_at - this.#options.groupExpiryMs })),
    }));
  }

  #now(): number {
    return Math.floor(this.#options.now());
  }

  #read<T>(sql: string, parameters: ReadonlyArray<string | number | null>): T[] {
    return this.#options.file.read((store) => store.query<T>(sql, parameters));
  }

  #peeked(key: string, { channels, body, deliveries, expires_at, ends_at }: PeekRow): Peeked {
    const common = {
      channels: channels?.split(' ') ?? [key],
      bytes: body.length,
      deliveries,
      ...(expires_at !== null && { sentAt: expires_at - this.#options.expiryMsOf(key) }),
      ...(ends_at !== null && { leaseEndsAt: ends_at }),
    };
    try {
      return { ...common, message: readBody(body) };
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      return { ...common, error };
    }
  }
}
