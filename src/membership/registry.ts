// The workers of a site: each says that it is there, and notices those that are not any more.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import { durationText } from '../duration.js';
import { isSuspended, type Owner, ownerState, ownProcess } from '../owner.js';
import type { Database, WorkerRow } from '../store/schema.js';

/** A worker of another machine, or one whose process is suspended, counts as dead when it was silent for so long. */
export const silentAfterMs = 25_000;

/** One that could not say anything itself for so long cannot tell who was silent from who could not be heard. */
const breakMs = 10_000;

/** Rows of workers that stopped are kept this long, for the history. */
export const keepStoppedMs = 7 * 86_400_000;

/** What stands as the reason of a worker that has taken leave itself. */
export const leaveReason = 'it was stopped';

/** What a worker can do. */
export interface Abilities {
  readonly procedures?: readonly string[];
  readonly maxJobs?: number;
}

export interface DeadWorker {
  readonly id: string;
  /** A clause for people. */
  readonly why: string;
}

type Sign = Pick<WorkerRow, 'host' | 'pid' | 'pid_start' | 'heartbeat_at'>;

export class WorkerRegistry {
  /** This worker's name for all others: machine, process number and start. */
  readonly id: string;
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #owner: Owner;
  /** In ms since 1970: the last time this worker could say that it is alive, and since when without a break. */
  #beatAt: number | null = null;
  #inTouchSince = Number.NEGATIVE_INFINITY;
  #card = { channels: '', version: '', started_at: 0, procedures: '', max_jobs: null as number | null };

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>, owner: Owner = ownProcess()) {
    this.#db = db;
    this.#clock = clock;
    this.#owner = owner;
    const machine = owner.host.split('/', 1)[0] ?? owner.host;
    this.id = `${machine}[${owner.pid}]@${clock.now().toString(36)}`;
  }

  /**
   * Makes this worker known.
   *
   * @param channels those it listens on
   * @param able which procedures it has, by their names, and how many jobs it runs side by side
   */
  async join(channels: readonly string[], version: string, able: Abilities = {}): Promise<void> {
    this.#card = {
      channels: channels.join(' '),
      version,
      started_at: this.#clock.now(),
      procedures: able.procedures === undefined ? '' : JSON.stringify(able.procedures),
      max_jobs: able.maxJobs ?? null,
    };
    await this.#db
      .deleteFrom('workers')
      .where('stopped_at', '<', this.#clock.now() - keepStoppedMs)
      // The last one tells since when none has run, however long that is.
      .where('stopped_at', '<', (eb) =>
        eb.selectFrom('workers as other').select((max) => max.fn.max('other.stopped_at').as('last')),
      )
      .execute();
    await this.#enter();
  }

  /**
   * Says that this worker is alive, and how it is doing.
   *
   * @param health as JSON
   * @returns false if others had taken it for dead meanwhile, and its work away; it is a member again
   */
  async beat(health = ''): Promise<boolean> {
    const now = this.#clock.now();
    const { numUpdatedRows } = await this.#db
      .updateTable('workers')
      .set({ heartbeat_at: now, health })
      .where('id', '=', this.id)
      .where('stopped_at', 'is', null)
      .executeTakeFirst();
    // When the database was away, it was for the others, too: they are given the time to be heard again.
    if (this.#beatAt !== null && now - this.#beatAt > breakMs) this.#inTouchSince = now;
    this.#beatAt = now;
    if (numUpdatedRows > 0n) return true;
    await this.#enter();
    return false;
  }

  /**
   * Marks workers that are gone as stopped, and returns them. What they ran is given up by `Ends.giveUpLost`.
   *
   * @param judgeSilence whether one that only says nothing counts as gone: for workers, which are always there, and
   *   not for a command that looks in
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
      // Not one that has been heard of since it was read.
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

  /** Says that this worker was told to stop, so that this is known of however it ends. */
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
      // One that was told to stop has said so before.
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
      .values({ id: this.id, host, pid, pid_start, ...this.#card, ...state })
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
    // A process that is seen to be alive is busy, however long it says nothing, unless somebody stopped it.
    if (!judgeSilence || (state === 'alive' && !isSuspended(owner))) return null;
    const now = this.#clock.now();
    const couldSpeakMs = now - Math.max(heartbeatAt, this.#inTouchSince);
    return couldSpeakMs > silentAfterMs
      ? `it has not been heard of for ${durationText(now - heartbeatAt)}`
      : null;
  }
}
