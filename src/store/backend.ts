// What a kind of database has to bring. There is a file for each: sqlite.ts and postgres.ts.

import type { Dialect, Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import type { AnyTables } from './migrate.js';

/** One database, of whatever kind. */
export interface Backend {
  /** What it is called in messages. Never has a password. */
  readonly name: string;
  /** Whether this user may only read it. */
  readonly isReadOnly: boolean;
  /** For the short statements of the daemon and of commands: nothing waits on it for long. */
  sharedDialect(): Dialect;
  /** For work that may take as long as it likes: a job's own statements, migrations. */
  ownDialect(): Dialect;
  /** The database's clock, in ms since 1970; null where it is this machine's. */
  readonly time: ((db: Kysely<AnyTables>) => Promise<number>) | null;
  /** Notifies soon of what others write; null where the database cannot. */
  readonly follow: ((options: FollowOptions) => Following) | null;
  /** What a statement threw, as somebody can act on it. */
  explain(error: unknown): unknown;
}

/** The tables in which others write what a worker wants to know at once. */
export const newsTopics = ['job_requests', 'job_rules', 'rule_changes', 'start_orders'] as const;

export type NewsTopic = (typeof newsTopics)[number];

export interface FollowOptions {
  readonly clock: Clock;
  /** There is news in a table. After a time without a connection there may be in all of them. */
  onNews(topic: NewsTopic): void;
  /** Called once when the connection is lost, with what happened, and with undefined when it is back. */
  onTrouble(error: unknown): void;
}

export interface Following {
  /** Resolves when it listens for the first time. */
  readonly listening: Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
