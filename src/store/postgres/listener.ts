// Hears at once what others write: triggers NOTIFY, and one connection of each worker LISTENs.

import pg from 'pg';
import { type Following, type FollowOptions, newsTopics } from '../backend.js';
import { noticeChannel } from '../migrations/triggers.js';
import { cannotConnect, connectionLost } from './failures.js';
import { connectionConfig } from './pool.js';
import type { Target } from './target.js';

/** Waiting before the next attempt to connect, doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 5000;

/** A connection that is lost is made again and again until it is there. */
export class NoticeListener implements Following {
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
    // A server that is away confirms nothing.
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
      const topic = newsTopics.find((candidate) => candidate === payload);
      if (topic !== undefined) this.#options.onNews(topic);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${noticeChannel}`);
    } catch (error) {
      this.#retry(client, cannotConnect(this.#target, error));
      return;
    }
    if (this.#client !== client) return;
    this.#retryMs = firstRetryMs;
    this.#report(undefined);
    this.#isListening();
    // Nobody has heard what was written meanwhile.
    for (const topic of newsTopics) this.#options.onNews(topic);
  }

  /** Once for each connection, whatever it says of its end. */
  #retry(client: pg.Client, error: unknown): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = null;
    client.end().catch(() => undefined); // it may be gone already
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
