// The right of one worker at a time to do something, with a fence number that grows with every new owner.

import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import type { Database } from '../store/schema.js';

/** A lease expires this long after its last renewal. */
export const leaseMs = 15_000;

export class Lease {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #name: string;
  readonly #workerId: string;
  #fence: number | null = null;
  #owner: string | null = null;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>, name: string, workerId: string) {
    this.#db = db;
    this.#clock = clock;
    this.#name = name;
    this.#workerId = workerId;
  }

  /** Whether this worker took the lease and has not learnt since that it lost it. */
  get held(): boolean {
    return this.#fence !== null;
  }

  /** The owner when the lease was read last; null before that, and when there was none. */
  get owner(): string | null {
    return this.#owner;
  }

  /**
   * Takes the lease if it is free or expired, or its owner has stopped. Renews it if this worker has it.
   *
   * @param from a worker known to be gone, whose lease this one takes over
   */
  async acquire(from?: string): Promise<boolean> {
    if (await this.#extend(leaseMs)) return true;
    this.#fence = await this.#take(from);
    return this.held;
  }

  /** Frees the lease at once, so that others need not wait for it to expire. */
  async release(): Promise<void> {
    await this.#extend(0);
    this.#fence = null;
  }

  /** @returns whether this worker still has it */
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

  /** @returns the new fence number, or null when another worker has the lease */
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
    this.#owner = lease?.worker_id ?? null;
    // This worker may be the owner itself, if the answer to its last claim was lost with the connection.
    const isFree =
      lease === undefined ||
      lease.until <= now ||
      lease.member === null ||
      lease.stopped_at !== null ||
      [from, this.#workerId].includes(lease.worker_id);
    if (!isFree) return null;
    const values = { worker_id: this.#workerId, fence: (lease?.fence ?? 0) + 1, until: now + leaseMs };
    // The row must be unchanged: of several takers one wins, and an owner that renews keeps the lease.
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
