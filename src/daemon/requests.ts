// Handles messages that request runs, the end of runs, and pushes. Each request is written to the database
// first.

import type { ChannelLayer } from '../../channels/index.js';
import { requestState } from '../actors/run-job.js';
import { LinodError, UsageError } from '../base/errors.js';
import type { RequestState } from '../consumers/linod.js';
import { type PushOrder, pushQueue } from '../consumers/push-queue.js';
import type { Logger } from '../log/logger.js';
import { activeRuleOf } from '../rules/find-rule.js';
import type { TaskLoop } from '../scheduler/loop.js';
import type { Requests } from '../scheduler/requests.js';
import type { Store } from '../store/store.js';

export interface MessageRequestsContext {
  readonly store: Store;
  readonly layer: ChannelLayer;
  /** The group of all workers. */
  readonly group: string;
  readonly requests: Requests;
  readonly loop: Pick<TaskLoop, 'wake'>;
  readonly logger: Logger;
}

export class MessageRequests {
  readonly #context: MessageRequestsContext;

  constructor(context: MessageRequestsContext) {
    this.#context = context;
  }

  /** @returns the number of the request */
  async add(action: 'run' | 'cancel', rule: number | string, by: string, args?: unknown): Promise<number> {
    const { requests, loop, layer, group } = this.#context;
    const request = await requests.add(rule, action, by, { args });
    loop.wake();
    // This worker may be paused or have no free slot. A lost message only delays the run until the next poll.
    await layer.groupSend(group, { type: 'rules.changed' }).catch(() => undefined);
    return request;
  }

  /** The state of a request. @throws UsageError when there is no such request */
  async state(request: number): Promise<RequestState> {
    const { outcome, job, isOver: over } = await requestState({ store: this.#context.store }, request);
    if (job === null) return { request, over, outcome, job };
    const { id, status, message, progress, startDatetime, endDatetime } = job;
    const times = { started: startDatetime.toISOString(), ended: endDatetime?.toISOString() ?? null };
    return { request, over, outcome, job: { id, status, message, progress, ...times } };
  }

  /**
   * Queues a push in the database, so that it survives this worker.
   *
   * @throws LinodError for an invalid order, which is also logged
   */
  async push(order: PushOrder, by: string): Promise<{ readonly id: number; readonly deliveries: number }> {
    const { store, logger } = this.#context;
    const queue = pushQueue();
    try {
      if (queue === undefined) throw new UsageError('nothing queues pushes: linod/procedures is not loaded');
      const queued = await queue.add(store.db, order);
      if (queued.deliveries > 0) await this.#runSender(queue.procedure, by);
      return queued;
    } catch (error) {
      if (error instanceof LinodError)
        logger.warning(`a push was not queued, asked for by ${by}: ${error.message}`);
      throw error;
    }
  }

  /** Requests a run of the sender. While its rule is cancelled, pushes wait. */
  async #runSender(procedure: string, by: string): Promise<void> {
    const rule = await activeRuleOf(this.#context.store.db, procedure);
    if (rule === null) return;
    await this.add('run', rule, by).catch((error: unknown) => {
      // The rule was deleted in the meantime.
      if (!(error instanceof UsageError)) throw error;
    });
  }
}
