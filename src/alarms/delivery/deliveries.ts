// Sends the queued messages of incidents, each way by itself, and again later where that fails. One process at a
// time does so: that which watches the site.

import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.js';
import { durationText } from '../../base/duration.js';
import type { Logger } from '../../log/logger.js';
import { idList } from '../../store/dialect.js';
import type { Database } from '../../store/schema.js';
import type { Notice, Way } from './notice.js';

/** With growing pauses, these take about a day. */
const maxAttempts = 30;
const firstPauseMs = 10_000;
const longestPauseMs = 3_600_000;

export interface DeliveriesOptions {
  readonly db: Kysely<Database>;
  readonly clock: Pick<Clock, 'now'>;
  readonly site: string;
  readonly ways: readonly Way[];
  readonly logger: Logger;
}

/** What is due by one way. */
interface Due {
  readonly ids: readonly number[];
  readonly attempts: number;
  readonly notices: readonly Notice[];
}

export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #stop = new AbortController();
  /** The ways that send now, by their names. */
  readonly #sending = new Map<string, Promise<void>>();

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /** Begins to send what is due, without waiting for it: a way that hangs delays no other, and no check. */
  begin(): void {
    if (this.#stop.signal.aborted) return;
    for (const way of this.#options.ways) {
      if (this.#sending.has(way.name)) continue;
      const done = this.#sendAll(way)
        .catch((error: unknown) => this.#options.logger.warning('alarms cannot be delivered now', { error }))
        .finally(() => this.#sending.delete(way.name));
      this.#sending.set(way.name, done);
    }
  }

  /** What is not sent by then is sent by the next process that watches. Safe to call twice. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sending.values());
  }

  async #sendAll(way: Way): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const due = await this.#due(way);
      if (due.ids.length === 0) return;
      await this.#send(way, due);
    }
  }

  async #due({ name, most }: Way): Promise<Due> {
    const { db, clock, site } = this.#options;
    const rows = await db
      .selectFrom('alarm_deliveries')
      .innerJoin('alarms', 'alarms.id', 'alarm_deliveries.alarm_id')
      .selectAll('alarms')
      .select(['alarm_deliveries.id as delivery', 'alarm_deliveries.state', 'attempts'])
      .where('done_at', 'is', null)
      .where('next_at', '<=', clock.now())
      .where('way', '=', name)
      .orderBy('alarm_deliveries.id')
      .limit(most)
      .execute();
    const notices = rows.map(
      (row): Notice => ({
        id: `${site}-${row.id}-${row.delivery}`,
        site,
        alarm: row.id,
        state: row.state === 'cleared' ? 'cleared' : 'raised',
        kind: row.kind,
        subject: row.subject,
        text: row.text,
        rule: row.rule_id,
        raisedAt: new Date(row.raised_at).toISOString(),
        // Of a message about the beginning, also when it arrives late.
        clearedAt:
          row.state === 'cleared' && row.cleared_at !== null ? new Date(row.cleared_at).toISOString() : null,
      }),
    );
    const attempts = 1 + Math.max(0, ...rows.map((row) => row.attempts));
    return { ids: rows.map(({ delivery }) => delivery), attempts, notices };
  }

  /** At least once: what a process does not record as sent, the next one sends again. */
  async #send(way: Way, { ids, attempts, notices }: Due): Promise<void> {
    const { db, clock, logger } = this.#options;
    const set = async (columns: { done_at?: number; next_at?: number; answer: string }) => {
      const sent = db.updateTable('alarm_deliveries').set({ ...columns, attempts });
      await sent.where('id', 'in', idList(db, ids)).execute();
    };
    try {
      const answer = await way.send(notices, this.#stop.signal);
      await set({ done_at: clock.now(), answer });
    } catch (error) {
      const answer = reasonOf(error);
      // The next process sends it at once.
      const pauseMs = this.#stop.signal.aborted
        ? 0
        : Math.min(firstPauseMs * 2 ** (attempts - 1), longestPauseMs);
      const isGivenUp = attempts >= maxAttempts;
      const then = isGivenUp ? 'it is given up' : `the next attempt comes in ${durationText(pauseMs)}`;
      logger.error(`an alarm could not be delivered by ${way.name}: ${answer}; ${then}`);
      await set(isGivenUp ? { done_at: clock.now(), answer } : { next_at: clock.now() + pauseMs, answer });
    }
  }
}

/** `fetch` hides the reason in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
