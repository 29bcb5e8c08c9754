// Where a message `send.push` goes: what queues pushes is not a part of the daemon, and registers itself here.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';

/** What a message asks to be pushed. */
export interface PushOrder {
  /** The user; null for all. */
  readonly to: string | null;
  /** What the receivers get: a text, or an object as JSON. */
  readonly data: string | Readonly<Record<string, unknown>>;
  readonly urgency?: 'very-low' | 'low' | 'normal' | 'high' | undefined;
  readonly topic?: string | undefined;
  readonly ttlSeconds?: number | undefined;
}

/** Writes pushes down, to be sent by a procedure. */
export interface PushQueue {
  /** The procedure that sends what was queued, to be woken. */
  readonly procedure: string;
  /**
   * @returns the push's number, and to how many subscriptions it is on its way
   * @throws LinodError when the order makes no sense
   */
  add(db: Kysely<Database>, order: PushOrder): Promise<{ readonly id: number; readonly deliveries: number }>;
}

let registered: PushQueue | undefined;

/** Says who queues pushes. @returns takes it back */
export function registerPushQueue(queue: PushQueue): () => void {
  registered = queue;
  return () => {
    if (registered === queue) registered = undefined;
  };
}

/** Undefined where the shipped procedures are not loaded. */
export function pushQueue(): PushQueue | undefined {
  return registered;
}
