// Which workers ran when, according to their rows.

import type { Kysely } from 'kysely';
import { keepStoppedMs, leaveReason } from '../../membership/worker-registry.js';
import type { Database, WorkerRow } from '../../store/schema.js';
import type { TimeWriter } from './sentences.js';

/** The presence of workers. All times are ms since 1970. */
export class Presence {
  readonly #rows: readonly WorkerRow[];
  readonly #now: number;

  constructor(rows: readonly WorkerRow[], now: number) {
    this.#rows = rows;
    this.#now = now;
  }

  static async read(db: Kysely<Database>, now: number): Promise<Presence> {
    return new Presence(await db.selectFrom('workers').selectAll().orderBy('started_at').execute(), now);
  }

  /** The workers that have not stopped. */
  get living(): readonly WorkerRow[] {
    return this.#rows.filter((row) => row.stopped_at === null);
  }

  /** Since when no worker has run, as a sentence; null while one runs. */
  absence(time: TimeWriter): string | null {
    if (this.living.length > 0) return null;
    const last = lastOf(this.#rows);
    if (last === undefined) return 'no worker has run yet, as far as is known';
    return `no worker has run since ${time(new Date(endOf(last)))}: ${howItEnded(last)}`;
  }

  /**
   * The period without a worker around a past instant, as a sentence. Null when a worker ran then, or the
   * rows have been deleted.
   */
  absenceAt(instant: number, time: TimeWriter): string | null {
    const hadAny = this.#rows.some((row) => row.started_at <= instant && endOf(row) > instant);
    if (hadAny || !this.#isKnown(instant)) return null;
    const before = lastOf(this.#rows.filter((row) => endOf(row) <= instant));
    const after = this.#rows.find((row) => row.started_at > instant);
    const from =
      before === undefined ? '' : ` from ${time(new Date(endOf(before)))}, when ${howItEnded(before)},`;
    const to =
      after === undefined ? '' : ` until ${time(new Date(after.started_at))}, when ${after.id} started`;
    return `no worker ran${from}${to}`.replace(/,$/, '');
  }

  /** The registry deletes rows of stopped workers after some days. */
  #isKnown(instant: number): boolean {
    return instant > this.#now - keepStoppedMs;
  }
}

/** When a worker was last alive; infinity while it is. */
function endOf(row: WorkerRow): number {
  if (row.stopped_at === null) return Number.POSITIVE_INFINITY;
  return Math.min(row.heartbeat_at, row.stopped_at);
}

/** Whether it left by itself; otherwise others found it gone. */
function wasStopped({ stop_reason: reason }: WorkerRow): boolean {
  return reason === leaveReason;
}

function howItEnded(row: WorkerRow): string {
  if (wasStopped(row)) return `${row.id} was stopped`;
  return `${row.id} sent its last heartbeat (${row.stop_reason ?? 'nothing is known about its end'})`;
}

function lastOf(rows: readonly WorkerRow[]): WorkerRow | undefined {
  return rows.reduce<WorkerRow | undefined>(
    (last, row) => (last === undefined || endOf(row) > endOf(last) ? row : last),
    undefined,
  );
}
