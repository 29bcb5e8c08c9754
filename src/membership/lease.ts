// Something that one worker at a time may do, with a number that grows with every change of hands.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import type { Database } from '../store/schema.js';

/** A lease that is not renewed for this long is free. */
export const leaseMs = 15_000;

export class Lease {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #name: string;
  readonly #workerId: string;
  #fence: number | null = null;
  #holder: string | null = null;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>, name: string, workerId: string) {
    this.#db = db;
    this.#clock = clock;
    this.#name = name;
    this.#workerId = workerId;
  }

  /** Whether this worker took it and has not learnt since that it lost it. */
  get held(): boolean {
    return this.#fence !== null;
  }

  /** The worker that had it when it was read last; null before that, and when nobody had it. */
  get holder(): string | null {
    return this.#holder;
  }

  /**
   * Takes the lease if it is free, its time is over or its holder has stopped; renews it if it is held.
   *
   * @param from a worker that is known to be gone, from which it is taken, too
   */
  async acquire(from?: string): Promise<boolean> {
    if (await this.#extend(leaseMs)) return true;
    this.#fence = await this.#take(from);
    return this.held;
  }

  /** Gives it back at once, so that another need not wait for its end. */
  async release(): Promise<void> {
    await this.#extend(0);
    this.#fence = null;
  }

  /** @returns whether it is still this worker's */
  async #extend(ms: number): Promise<boolean> {
    if (this.#fence === null) return false;
    const { numUpdatedRows } = await this.#db
      .updateTable('leases')
      .set({ until: this.#clock.now() + ms })
      .where('name', '=', this.#name)
      .where('worker_id', '=', this.#workerId)
      .where('fence', '=', this.#fence)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** @returns the number of this change of hands, or null when the lease is another's */
  async #take(from: string | undefined): Promise<number | null> {
    const now = this.#clock.now();
    const lease = await this.#db
      .selectFrom('leases')
      .leftJoin('workers', 'workers.id', 'leases.worker_id')
      .select([
        'leases.worker_id',
        'leases.fence',
        'leases.until',
        'workers.id as member',
        'workers.stopped_at',
      ])
      .where('leases.name', '=', this.#name)
      .executeTakeFirst();
    this.#holder = lease?.worker_id ?? null;
    // It may be this worker's own: it was taken, and the answer lost with the connection to the database.
    const isFree =
      lease === undefined ||
      lease.until <= now ||
      lease.member === null ||
      lease.stopped_at !== null ||
      [from, this.#workerId].includes(lease.worker_id);
    if (!isFree) return null;
    const values = { worker_id: this.#workerId, fence: (lease?.fence ?? 0) + 1, until: now + leaseMs };
    // Only as it was read: of several that see a free lease one gets it, and a holder that renews keeps it.
    const taken = await this.#db
      .insertInto('leases')
      .values({ name: this.#name, ...values })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet(values)
          .where('leases.fence', '=', lease?.fence ?? 0)
          .where('leases.until', '=', lease?.until ?? 0),
      )
      .returning('fence')
      .executeTakeFirst();
    return taken?.fence ?? null;
  }
}
