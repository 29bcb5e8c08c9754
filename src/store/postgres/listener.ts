// Receives notifications of changes: triggers NOTIFY, and one connection of each worker LISTENs.

import pg from 'pg';
import { type FollowOptions, type Subscription, watchedTables } from '../backend.js';
import { notifyChannel } from '../migrations/triggers.js';
import { cannotConnect, connectionLost } from './failures.js';
import { connectionConfig } from './pool.js';
import type { Target } from './target.js';

/** The wait before the next attempt to connect, doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 5000;

/** Listens for notifications, and reconnects whenever the connection is lost. */
export class NotificationListener implements Subscription {
  readonly listening: Promise<void>;
  readonly #target: Target;
  readonly #options: FollowOptions;
  #client: pg.Client | null = null;
  #disarm: () => void = () => undefined;
  #retryMs = firstRetryMs;
  #inTrouble = false;
  #isClosed = false;
  #isListening: () => void = () => undefined;

  constructor(target: Target, options: FollowOptions) {
    this.#target = target;
    this.#options = options;
    this.listening = new Promise((resolve) => {
      this.#isListening = resolve;
    });
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#disarm();
    const client = this.#client;
    this.#client = null;
    // A server that is away does not confirm the end.
    await client?.end().catch(() => undefined);
  }

  /** Never rejects. */
  async #connect(): Promise<void> {
    const client = new pg.Client(connectionConfig(this.#target, 'listens'));
    this.#client = client;
    client.on('error', (error) => this.#retry(client, connectionLost(this.#target, error)));
    client.on('end', () =>
      this.#retry(client, connectionLost(this.#target, new Error('the connection was closed'))),
    );
    client.on('notification', ({ payload }) => {
      const table = watchedTables.find((candidate) => candidate === payload);
      if (table !== undefined) this.#options.onChange(table);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${notifyChannel}`);
    } catch (error) {
      this.#retry(client, cannotConnect(this.#target, error));
      return;
    }
    if (this.#client !== client) return;
    this.#retryMs = firstRetryMs;
    this.#report(undefined);
    this.#isListening();
    // Changes during the break had no listener.
    for (const table of watchedTables) this.#options.onChange(table);
  }

  /** Runs once for each connection, although it may report its end twice. */
  #retry(client: pg.Client, error: unknown): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = null;
    client.end().catch(() => undefined); // the connection may be closed already
    this.#report(error);
    this.#disarm = this.#options.clock.after(this.#retryMs, () => void this.#connect());
    this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs);
  }

  #report(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}
