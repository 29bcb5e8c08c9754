// Pauses, resumes or drains one worker, on whatever machine it runs.

import { UsageError } from '../base/errors.js';
import { databaseClock } from '../membership/database-clock.js';
import { type WorkerAction, WorkerOrders } from '../membership/worker-orders.js';
import { type ActorContext, Workers, wakeWorkers } from './tables.js';

const effects: Readonly<Record<WorkerAction, string>> = {
  pause: 'starts no more jobs until it is resumed',
  resume: 'starts jobs again',
  drain: 'starts no more jobs, and stops when its jobs have ended',
};

/**
 * Writes an order to a worker down and wakes it. A worker that does not hear takes it at its next heartbeat.
 *
 * @returns a sentence for people
 * @throws UsageError (`LINOD_ERR_UNKNOWN_WORKER`)
 */
export async function orderWorker(context: ActorContext, id: string, action: WorkerAction): Promise<string> {
  const { store, user = 'somebody' } = context;
  if (!(await Workers.rows(context)).some((worker) => worker.id === id))
    throw new UsageError(`there is no running worker ${JSON.stringify(id)}`, 'LINOD_ERR_UNKNOWN_WORKER');
  await new WorkerOrders(store.db, await databaseClock(store)).add(id, action, user);
  const unwoken = await wakeWorkers(context, 'workers.changed');
  const delay = unwoken === null ? '' : `, within 5 s, as it cannot be notified now: ${unwoken}`;
  return `worker ${id} ${effects[action]}${delay}`;
}
