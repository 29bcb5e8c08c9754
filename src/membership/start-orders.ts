// The coroutines that `initiate_linod` ordered to start. Orders outlive workers, so a restarted one resumes.

import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import type { Database } from '../store/schema.js';

/** The coroutines that can be ordered, named after the message that starts them. */
export type Coroutine = 'run.system.tasks' | 'log.server';

/** All coroutines in their start order: the log first, so that it receives the records of the tasks. */
export const coroutines: readonly Coroutine[] = ['log.server', 'run.system.tasks'];

export class StartOrders {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Stores an order. Safe to repeat. @returns whether the order is new */
  async add(name: Coroutine, by: string): Promise<boolean> {
    const { numInsertedOrUpdatedRows: added } = await this.#db
      .insertInto('start_orders')
      .values({ name, ordered_at: this.#clock.now(), ordered_by: by })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirstOrThrow();
    return added === 1n;
  }

  async list(): Promise<Coroutine[]> {
    const rows = await this.#db.selectFrom('start_orders').select('name').orderBy('name').execute();
    return rows.map((row) => row.name as Coroutine);
  }
}
