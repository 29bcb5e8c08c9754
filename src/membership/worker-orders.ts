// Orders to single workers. The database has them, so that a worker that does not hear takes them at its next heartbeat.

import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import type { Database } from '../store/schema.js';

/** pause: starts no runs. resume: starts runs again. drain: starts no runs, and stops when its runs have ended. */
export const workerActions = ['pause', 'resume', 'drain'] as const;
export type WorkerAction = (typeof workerActions)[number];

export class WorkerOrders {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Stores an order, and removes those that their workers did not live to take. */
  async add(worker: string, action: WorkerAction, by: string): Promise<void> {
    const living = this.#db.selectFrom('workers').select('workers.id').where('stopped_at', 'is', null);
    await this.#db.deleteFrom('worker_orders').where('worker_id', 'not in', living).execute();
    await this.#db
      .insertInto('worker_orders')
      .values({ worker_id: worker, action, ordered_at: this.#clock.now(), ordered_by: by })
      .execute();
  }

  /** Takes the orders to a worker, the oldest first. */
  async take(worker: string): Promise<ReadonlyArray<{ readonly action: string; readonly by: string }>> {
    const orders = await this.#db
      .selectFrom('worker_orders')
      .selectAll()
      .where('worker_id', '=', worker)
      .orderBy('id')
      .execute();
    const last = orders.at(-1);
    if (last === undefined) return [];
    const taken = this.#db.deleteFrom('worker_orders').where('worker_id', '=', worker);
    await taken.where('id', '<=', last.id).execute();
    return orders.map(({ action, ordered_by: by }) => ({ action, by }));
  }
}
