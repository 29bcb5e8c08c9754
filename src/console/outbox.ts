// What the console shows of mails and pushes. The shipped procedures implement it, and register it here.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';
import type { OutboxMessage, OutboxRow, Page } from './api.js';

export interface OutboxQuery {
  readonly kind: 'mail' | 'push';
  /** All states without one. */
  readonly state: string | undefined;
  /** `next` of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** The mails and pushes of a site, for its console. */
export interface ConsoleOutbox {
  list(query: OutboxQuery): Promise<Page<OutboxRow>>;
  /** What is in one; undefined when it does not exist. */
  find(kind: OutboxQuery['kind'], id: number): Promise<OutboxMessage | undefined>;
  /** Sends it again at once. @returns whether it could be */
  retry(kind: OutboxQuery['kind'], id: number): Promise<boolean>;
  /** A text that differs when something has changed. */
  mark(): Promise<string>;
}

type Open = (db: Kysely<Database>) => ConsoleOutbox;

let registered: Open | undefined;

/** Says what reads the mails and pushes of a site's database. @returns takes it back */
export function registerConsoleOutbox(open: Open): () => void {
  registered = open;
  return () => {
    if (registered === open) registered = undefined;
  };
}

/** Undefined where the shipped procedures are not loaded. */
export function consoleOutbox(db: Kysely<Database>): ConsoleOutbox | undefined {
  return registered?.(db);
}
