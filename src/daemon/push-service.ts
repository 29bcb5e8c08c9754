// Pushes that messages ask for: written down by whatever queues them, and the procedure that sends them is woken.

import type { Kysely } from 'kysely';
import { LinodError, UsageError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { type PushOrder, pushQueue } from '../push.js';
import type { Database } from '../store/schema.js';
import { activeRuleOf } from '../tasks/rule-named.js';

export interface PushServiceOptions {
  readonly db: Kysely<Database>;
  readonly logger: Logger;
  /** Asks for a run of a rule, and wakes the workers. */
  readonly run: (rule: number, by: string) => Promise<unknown>;
}

export class PushService {
  readonly #options: PushServiceOptions;

  constructor(options: PushServiceOptions) {
    this.#options = options;
  }

  /**
   * Queues a push. When this resolves it is in the database, and outlives this worker.
   *
   * @throws LinodError for an order that makes no sense, which is told in the log, too
   */
  async push(order: PushOrder, by: string): Promise<{ readonly id: number; readonly deliveries: number }> {
    const { db, logger } = this.#options;
    const queue = pushQueue();
    try {
      if (queue === undefined) throw new UsageError('nothing queues pushes: linod/procedures is not loaded');
      const queued = await queue.add(db, order);
      if (queued.deliveries > 0) await this.#wake(queue.procedure, by);
      return queued;
    } catch (error) {
      if (error instanceof LinodError)
        logger.warning(`a push was not queued, asked for by ${by}: ${error.message}`);
      throw error;
    }
  }

  /** Not if somebody has cancelled it: then pushes wait until it is resumed. */
  async #wake(procedure: string, by: string): Promise<void> {
    const { db, run } = this.#options;
    const rule = await activeRuleOf(db, procedure);
    if (rule === null) return;
    await run(rule, by).catch((error: unknown) => {
      // It vanished meanwhile.
      if (!(error instanceof UsageError)) throw error;
    });
  }
}
