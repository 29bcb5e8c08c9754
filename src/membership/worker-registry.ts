// The workers of a site: each one sends heartbeats, and marks others that are gone.

import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { isSuspended, type Owner, ownerState, ownProcess } from '../base/process-owner.js';
import type { Database, WorkerRow } from '../store/schema.js';

/** A worker on another machine, or a suspended one, counts as dead after this long without a heartbeat. */
export const silentAfterMs = 25_000;

/** After a longer break of its own, a worker cannot judge which others were silent. */
const breakMs = 10_000;

/** Rows of workers that stopped are kept this long, for the history. */
export const keepStoppedMs = 7 * 86_400_000;

/** The stop reason of a worker that left by itself. */
export const leaveReason = 'it was stopped';

/** What a worker can do. */
export interface Abilities {
  readonly procedures?: readonly string[];
  readonly maxJobs?: number;
}

export interface DeadWorker {
  readonly id: string;
  /** The reason, a clause for people. */
  readonly why: string;
}

type Sign = Pick<WorkerRow, 'host' | 'pid' | 'pid_start' | 'heartbeat_at'>;

export class WorkerRegistry {
  /** This worker's name: machine, process number and start. */
  readonly id: string;
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #owner: Owner;
  /** In ms since 1970: this worker's last heartbeat, and since when its heartbeats have had no break. */
  #beatAt: number | null = null;
  #inTouchSince = Number.NEGATIVE_INFINITY;
  #details = { channels: '', version: '', started_at: 0, procedures: '', max_jobs: null as number | null };

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>, owner: Owner = ownProcess()) {
    this.#db = db;
    this.#clock = clock;
    this.#owner = owner;
    const machine = owner.host.split('/', 1)[0] ?? owner.host;
    this.id = `${machine}[${owner.pid}]@${clock.now().toString(36)}`;
  }

  /**
   * Registers this worker.
   *
   * @param channels the channels it listens on
   * @param able its procedures, by name, and how many jobs it runs at once
   */
  async join(channels: readonly string[], version: string, able: Abilities = {}): Promise<void> {
    this.#details = {
      channels: channels.join(' '),
      version,
      started_at: this.#clock.now(),
      procedures: able.procedures === undefined ? '' : JSON.stringify(able.procedures),
      max_jobs: able.maxJobs ?? null,
    };
    await this.#db
      .deleteFrom('workers')
      .where('stopped_at', '<', this.#clock.now() - keepStoppedMs)
      // Keeps the last one: its row says since when no worker has run.
      .where('stopped_at', '<', (eb) =>
        eb.selectFrom('workers as other').select((max) => max.fn.max('other.stopped_at').as('last')),
      )
      .execute();
    await this.#enter();
  }

  /**
   * Writes a heartbeat with this worker's health.
   *
   * @param health as JSON
   * @returns false if others had marked it dead and taken over its work; it is registered again
   */
  async beat(health = ''): Promise<boolean> {
    const now = this.#clock.now();
    const { numUpdatedRows } = await this.#db
      .updateTable('workers')
      .set({ heartbeat_at: now, health })
      .where('id', '=', this.id)
      .where('stopped_at', 'is', null)
      .executeTakeFirst();
    // If the database was away, it was for all: give the others time for a heartbeat.
    if (this.#beatAt !== null && now - this.#beatAt > breakMs) this.#inTouchSince = now;
    this.#beatAt = now;
    if (numUpdatedRows > 0n) return true;
    await this.#enter();
    return false;
  }

  /**
   * Marks workers that are gone as stopped, and returns them. `Ends.giveUpLost` gives up their runs.
   *
   * @param judgeSilence whether silence alone counts as gone: true for workers, which observe all the time,
   *   and false for commands
   */
  async markDead({ judgeSilence }: { judgeSilence: boolean }): Promise<DeadWorker[]> {
    const signs = await this.#db
      .selectFrom('workers')
      .select(['id', 'host', 'pid', 'pid_start', 'heartbeat_at'])
      .where('stopped_at', 'is', null)
      .where('id', '!=', this.id)
      .orderBy('started_at')
      .execute();
    const dead: DeadWorker[] = [];
    for (const sign of signs) {
      const why = this.#whyDead(sign, judgeSilence);
      // Not a worker that has sent a heartbeat since it was read.
      if (why !== null && (await this.#markStopped(sign.id, why, sign.heartbeat_at)))
        dead.push({ id: sign.id, why });
    }
    return dead;
  }

  /** The workers that have not stopped, the oldest first. */
  async living(): Promise<WorkerRow[]> {
    return await this.#db
      .selectFrom('workers')
      .selectAll()
      .where('stopped_at', 'is', null)
      .orderBy('started_at')
      .execute();
  }

  /** Records that this worker was asked to stop, so that the reason is known however it ends. */
  async announceLeave(): Promise<void> {
    await this.#sign({ stop_reason: leaveReason });
  }

  async leave(): Promise<void> {
    const now = this.#clock.now();
    await this.#sign({ stop_reason: leaveReason, heartbeat_at: now, stopped_at: now });
  }

  async #sign(columns: Partial<WorkerRow>): Promise<void> {
    const own = this.#db.updateTable('workers').set(columns).where('id', '=', this.id);
    await own.where('stopped_at', 'is', null).execute();
  }

  /** @returns whether it was not marked before */
  async #markStopped(id: string, why: string, heartbeatAt: number): Promise<boolean> {
    const updated = await this.#db
      .updateTable('workers')
      // A worker that was asked to stop has recorded its own reason.
      .set((eb) => ({
        stopped_at: this.#clock.now(),
        stop_reason: eb.fn.coalesce('stop_reason', eb.val(why)),
      }))
      .where('id', '=', id)
      .where('stopped_at', 'is', null)
      .where('heartbeat_at', '=', heartbeatAt)
      .executeTakeFirst();
    return updated.numUpdatedRows > 0n;
  }

  async #enter(): Promise<void> {
    const state = { heartbeat_at: this.#clock.now(), stopped_at: null, stop_reason: null };
    const { host, pid, start: pid_start } = this.#owner;
    await this.#db
      .insertInto('workers')
      .values({ id: this.id, host, pid, pid_start, ...this.#details, ...state })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(state))
      .execute();
  }

  #whyDead(
    { host, pid, pid_start: start, heartbeat_at: heartbeatAt }: Sign,
    judgeSilence: boolean,
  ): string | null {
    const owner: Owner = { host, pid, start };
    const state = ownerState(owner);
    if (state === 'dead') return `its process ${pid} is gone`;
    // A process that is alive is busy, however long it is silent, unless it is suspended.
    if (!judgeSilence || (state === 'alive' && !isSuspended(owner))) return null;
    const now = this.#clock.now();
    const couldSpeakMs = now - Math.max(heartbeatAt, this.#inTouchSince);
    return couldSpeakMs > silentAfterMs
      ? `it has sent no heartbeat for ${durationText(now - heartbeatAt)}`
      : null;
  }
}
