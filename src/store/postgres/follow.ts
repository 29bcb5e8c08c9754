// Hears at once what others write: triggers NOTIFY, and one connection of each worker LISTENs.

import pg from 'pg';
import type { Following, FollowOptions, NewsTopic } from '../backend.js';
import { noticeChannel } from '../migrations/triggers.js';
import { cannotConnect, connectionLost } from './failures.js';
import { connectionConfig } from './pool.js';
import type { Target } from './target.js';

/** The tables that have triggers. */
export const topics: readonly NewsTopic[] = ['job_requests', 'job_rules', 'rule_changes', 'start_orders'];

/** Waiting before the next attempt to connect, doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 5000;
/** A connection that is silently gone, as behind a firewall, is noticed after this and the time-out of an answer. */
const pingEveryMs = 30_000;
const answerTimeoutMs = 10_000;
const endTimeoutMs = 1000;

export class NoticeListener implements Following {
  readonly listening: Promise<void>;
  readonly #target: Target;
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #inTrouble = false;
  #isListening: () => void = () => undefined;

  constructor(target: Target, options: FollowOptions) {
    this.#target = target;
    this.#options = options;
    this.listening = new Promise((resolve) => {
      this.#isListening = resolve;
    });
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Connects again and again, until it is closed. Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let delayMs = firstRetryMs;
    while (!signal.aborted) {
      const client = new pg.Client({
        ...connectionConfig(this.#target, 'listens'),
        query_timeout: answerTimeoutMs,
      });
      // Whatever waits for the end of this connection goes with it, while the listener lives for months.
      const over = new AbortController();
      const end = () => over.abort();
      signal.addEventListener('abort', end);
      try {
        const lost = lossOf(client);
        await this.#listen(client);
        delayMs = firstRetryMs;
        const failure = await Promise.race([
          lost,
          this.#pingUntilSilent(client, over.signal),
          aborted(over.signal),
        ]);
        if (!signal.aborted) this.#tell(connectionLost(this.#target, failure));
      } catch (error) {
        if (!signal.aborted) this.#tell(cannotConnect(this.#target, error));
      } finally {
        signal.removeEventListener('abort', end);
        over.abort();
        // It may be gone already, which is what ended it; and a server that is silently gone confirms nothing.
        const ended = client.end().catch(() => undefined);
        await Promise.race([ended, this.#delay(endTimeoutMs)]);
      }
      if (signal.aborted) return;
      await this.#wait(delayMs, signal);
      delayMs = Math.min(2 * delayMs, longestRetryMs);
    }
  }

  async #listen(client: pg.Client): Promise<void> {
    client.on('notification', ({ payload }) => {
      const topic = topics.find((candidate) => candidate === payload);
      if (topic !== undefined) this.#options.onNews(topic);
    });
    await client.connect();
    await client.query(`LISTEN ${noticeChannel}`);
    this.#tell(undefined);
    this.#isListening();
    // Nobody has heard what was written meanwhile.
    for (const topic of topics) this.#options.onNews(topic);
  }

  /** Resolves with what went wrong when the server does not answer any more. */
  async #pingUntilSilent(client: pg.Client, over: AbortSignal): Promise<unknown> {
    for (;;) {
      await this.#wait(pingEveryMs, over);
      if (over.aborted) return undefined;
      try {
        await client.query('SELECT 1');
      } catch (error) {
        return error;
      }
    }
  }

  /** Waits for so long, or until the signal is aborted. Leaves nothing behind on it: there are thousands of waits. */
  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, end);
      signal.addEventListener('abort', end);
    });
  }

  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(delayMs, resolve);
    });
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}

/** Resolves when the connection is lost, with what happened. */
function lossOf(client: pg.Client): Promise<unknown> {
  return new Promise((resolve) => {
    client.on('error', resolve);
    client.on('end', () => resolve(new Error('the connection was closed')));
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
