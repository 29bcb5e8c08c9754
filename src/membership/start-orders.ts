// What `initiate_linod` ordered to be started. It outlives workers, so that a restarted one goes on by itself.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import type { Database } from '../store/schema.js';

/** The coroutines that can be ordered, by the message that starts them. */
export type Coroutine = 'run.system.tasks' | 'log.server';

/** Both, in the order in which they are started: first the log, so that the tasks' records have a place. */
export const coroutines: readonly Coroutine[] = ['log.server', 'run.system.tasks'];

export class StartOrders {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Remembers an order. Safe to repeat. @returns whether it was not given before */
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
