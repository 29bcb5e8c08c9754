// The interface of a kind of database. sqlite/backend.ts and postgres/backend.ts implement it.

import type { Dialect, Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import type { AnyTables } from './migrate.js';

/** One database of any kind. */
export interface Backend {
  /** Its name in messages. Never contains a password. */
  readonly name: string;
  /** Whether this user may only read it. */
  readonly isReadOnly: boolean;
  /** For the short statements of the daemon and of commands, which wait only briefly. */
  sharedDialect(): Dialect;
  /** For work of any length: the statements of a job, migrations. */
  ownDialect(): Dialect;
  /** The database's clock, in ms since 1970; null to use this machine's. */
  readonly time: ((db: Kysely<AnyTables>) => Promise<number>) | null;
  /** Notifies quickly about changes by other processes; null where the database cannot. */
  readonly follow: ((options: FollowOptions) => Subscription) | null;
  /** Turns what a statement threw into an error that says what to do. */
  explain(error: unknown): unknown;
}

/** The tables whose changes a worker wants to know at once. */
export const watchedTables = ['job_requests', 'job_rules', 'rule_changes', 'start_orders'] as const;

export type WatchedTable = (typeof watchedTables)[number];

export interface FollowOptions {
  readonly clock: Clock;
  /** A table may have changed. After a break of the connection, each of them may have. */
  onChange(table: WatchedTable): void;
  /** Called once with the error when the connection is lost, and with undefined when it is back. */
  onTrouble(error: unknown): void;
}

export interface Subscription {
  /** Resolves when the connection listens for the first time. */
  readonly listening: Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
