// A table of mails or pushes to send: the claims of jobs on its rows, and their results.
//
// Every write names the job. So a job that was given up, while its worker was suspended, does not change a
// row that another job has claimed. A process may die between the other side's answer and the mark. A row
// that may have been sent is sent once more, and then given up. That allows one extra copy, but not one for
// each crash.

import type { Kysely, RawBuilder, SqlBool } from 'kysely';
import { type BaseRequest, LinodError, sql, transact } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { deleteBefore } from '../shared/delete-old.js';
import { daysBefore } from '../shared/retention.js';
import type { SiteDatabase } from '../store/open.js';

/** The common columns of outbox tables. */
export interface OutboxRow {
  readonly id: number;
  readonly status: string;
  /** The number of attempts. */
  readonly attempts: number;
  /** The number of attempts with an unknown result. */
  readonly interruptions: number;
  /** 1 from the moment at which the other side may accept it until its answer. */
  readonly handed_over: number;
  readonly next_attempt_at: number;
  /** The job that has claimed it. */
  readonly job_id: number | null;
  readonly answer: string | null;
  readonly done_at: number | null;
}

/** The differences between mails and pushes. */
export interface OutboxKind<Row extends OutboxRow> {
  readonly table: 'outbox_mails' | 'push_deliveries';
  readonly one: string;
  readonly many: string;
  /** Rows that may be due, as in the table's index, so that the database uses it. */
  readonly isWaiting: RawBuilder<SqlBool>;
  /** The status of a waiting row after some attempts. */
  waiting(attempts: number): string;
  readonly maxAttempts: number;
  /** The maximum number of copies when the other side did not answer, or the run ended before its answer. */
  readonly maxCopies: number;
  /** The pause after an attempt, counted from 1, in ms. */
  pauseAfter(attempt: number): number;
  /** The name of a row in the log. */
  nameOf(row: Row): string;
}

/**
 * The result of one attempt. deferred: not accepted, and tried again. postponed: the other side wants it
 * later, which is not a failure. in doubt: it may have been accepted. down: nothing can be sent now, not only
 * this row. ended: the run ended before it can have been accepted.
 */
export interface Verdict {
  readonly kind: 'sent' | 'refused' | 'deferred' | 'postponed' | 'in doubt' | 'down' | 'ended';
  /** The other side's answer. */
  readonly answer: string;
  /** postponed: the earliest next attempt. deferred: the time after which it is useless. In ms since 1970. */
  readonly at?: number;
  /** refused: the consequence, for the log. Default: given up. */
  readonly next?: string;
  /** A further write in the same transaction. */
  readonly also?: (tx: SiteDatabase) => Promise<void>;
}

/** A job was given up, and another one has claimed its row. */
export class ClaimLostError extends LinodError {
  constructor(name: string) {
    super('LINOD_ERR_CLAIM_LOST', `${name} is claimed by another job`);
  }
}

/** The maximum number of copies when workers die between the send and the mark: one too many. */
const copiesByCrash = 2;
/** The maximum number of failures that a run logs as warnings; the table has the others. */
const maxWarnings = 20;

type Columns = { -readonly [K in keyof OutboxRow]: OutboxRow[K] };
/** Lets Kysely treat both tables alike. */
type OutboxDatabase = Kysely<{ outbox: Columns }>;

/** One job's view of an outbox. */
export class Outbox<Row extends OutboxRow> {
  readonly kind: OutboxKind<Row>;
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #table: 'outbox';
  #warnings = 0;

  constructor(ar: BaseRequest, db: SiteDatabase, kind: OutboxKind<Row>) {
    this.kind = kind;
    this.#ar = ar;
    this.#db = db;
    this.#table = kind.table as string as 'outbox';
  }

  /** Counts rows that are due or claimed. */
  async countDue(): Promise<number> {
    const { count } = await tables(this.#db)
      .selectFrom(this.#table)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      // A literal state: with a parameter SQLite would plan the query twice, since there is an index for it.
      .where((eb) => eb.or([this.#isDue, sql<SqlBool>`status = 'sending'`]))
      .executeTakeFirstOrThrow();
    return count;
  }

  /** Claims rows, the longest waiting first. Of two jobs that want the same row, one gets it. */
  async claim(limit: number): Promise<Row[]> {
    const next = tables(this.#db)
      .selectFrom(this.#table)
      .select('id')
      .where(this.#isDue)
      .orderBy('next_attempt_at')
      .orderBy('id')
      .limit(limit)
      .forUpdate()
      .skipLocked();
    const claimed = await tables(this.#db)
      .updateTable(this.#table)
      .set({ status: 'sending', job_id: this.#ar.jobId, handed_over: 0, attempts: sql`attempts + 1` })
      .where('id', 'in', next)
      .where(this.kind.isWaiting)
      .returningAll()
      .execute();
    claimed.sort((a, b) => a.next_attempt_at - b.next_attempt_at || a.id - b.id);
    return claimed as unknown as Row[];
  }

  /**
   * Records that the other side may accept the row from now on.
   *
   * @throws ClaimLostError (`LINOD_ERR_CLAIM_LOST`)
   */
  async handOver(row: Row): Promise<void> {
    const { numUpdatedRows } = await this.#mine(this.#db, row.id).set({ handed_over: 1 }).executeTakeFirst();
    if (numUpdatedRows === 0n) throw new ClaimLostError(this.kind.nameOf(row));
  }

  /** Stores the result of an attempt, and logs a failure. */
  async mark(row: Row, verdict: Verdict): Promise<void> {
    const { change, note } = this.#changeAfter(row, verdict);
    const write = async (db: SiteDatabase) => {
      await this.#mine(db, row.id)
        .set({ job_id: null, handed_over: 0, answer: verdict.answer, ...change })
        .execute();
      await verdict.also?.(db);
    };
    if (verdict.also === undefined) await write(this.#db);
    else await transact(this.#db, write);
    if (verdict.kind === 'sent') this.#ar.debug(`${this.kind.nameOf(row)} sent: ${verdict.answer}`);
    else if (note !== null) this.#warn(row, note);
  }

  /** Releases rows of ended jobs. Unsent ones wait as before; those that may have been sent are in doubt. */
  async releaseOrphans(): Promise<void> {
    const job = sql.ref(`${this.kind.table}.job_id`);
    const orphans = await tables(this.#db)
      .selectFrom(this.#table)
      .selectAll()
      .where('status', '=', 'sending')
      .where(sql<SqlBool>`not exists (select 1 from jobs where jobs.status = 'running' and jobs.id = ${job})`)
      .orderBy('id')
      .execute();
    let unsent = 0;
    for (const orphan of orphans) {
      const row = orphan as unknown as Row;
      const why = `job ${row.job_id} ended while it was sending it`;
      const { change, note } =
        row.handed_over === 1 ? this.#inDoubt(row, why, copiesByCrash, 0) : this.#asBefore(row);
      await this.#mine(this.#db, row.id, row.job_id)
        .set({ job_id: null, handed_over: 0, ...change })
        .execute();
      if (note === null) unsent++;
      else this.#warn(row, note);
    }
    const { one, many } = this.kind;
    if (unsent > 0) this.#ar.info(`${counted(unsent, one, many)} released from a job that ended`);
  }

  /** Deletes rows that were sent or given up some time ago. */
  async clearDone(days: number): Promise<void> {
    const isDone = sql<SqlBool>`status in ('sent', 'failed')`;
    const doneBefore = daysBefore(this.#ar.now(), days);
    const count = await deleteBefore(this.#ar, this.kind.table, 'done_at', doneBefore, isDone);
    const { one, many } = this.kind;
    const what = counted(count, one, many);
    if (count > 0) this.#ar.info(`${what} deleted that were sent or given up more than ${days} days ago`);
  }

  get #isDue(): RawBuilder<SqlBool> {
    return sql`(${this.kind.isWaiting} and next_attempt_at <= ${this.#ar.now().getTime()})`;
  }

  /** The change of a row after an attempt, and the note for the log. */
  #changeAfter(row: Row, verdict: Verdict): RowChange {
    const { kind, answer, at = Number.POSITIVE_INFINITY, next = 'given up' } = verdict;
    const { maxAttempts, maxCopies, pauseAfter, waiting } = this.kind;
    const now = this.#ar.now().getTime();
    const failed = (what: string) => `failed (attempt ${row.attempts}), ${what}: ${answer}`;
    if (kind === 'sent') return { change: { status: 'sent', done_at: now }, note: null };
    if (kind === 'down' || kind === 'ended') return this.#asBefore(row);
    const pauseMs = pauseAfter(row.attempts);
    if (kind === 'in doubt') return this.#inDoubt(row, answer, maxCopies, pauseMs);
    if (kind === 'postponed') {
      const note = failed(`postponed until ${new Date(at).toISOString()}`);
      return { change: { ...this.#asBefore(row).change, next_attempt_at: at }, note };
    }
    if (kind === 'refused' || row.attempts >= maxAttempts || now + pauseMs >= at) {
      return { change: { status: 'failed', done_at: now }, note: failed(next) };
    }
    const pause = pauseMs < 60_000 ? `${pauseMs / 1000} s` : `${Math.round(pauseMs / 60_000)} min`;
    const change = { status: waiting(row.attempts), next_attempt_at: now + pauseMs };
    return { change, note: failed(`next attempt in ${pause}`) };
  }

  /** As if it had not been claimed. */
  #asBefore({ attempts }: Row): RowChange {
    return { change: { status: this.kind.waiting(attempts - 1), attempts: attempts - 1 }, note: null };
  }

  #inDoubt(row: Row, why: string, maxCopies: number, pauseMs: number): RowChange {
    const now = this.#ar.now().getTime();
    const interruptions = row.interruptions + 1;
    if (interruptions >= maxCopies) {
      const answer = `given up: it may have been sent ${interruptions} times; last result: ${why}`;
      return { change: { status: 'failed', done_at: now, interruptions, answer }, note: answer };
    }
    const answer = `it may have been sent, and is sent again: ${why}`;
    const status = this.kind.waiting(row.attempts);
    return { change: { status, next_attempt_at: now + pauseMs, interruptions, answer }, note: answer };
  }

  #mine(db: SiteDatabase, id: number, jobId: number | null = this.#ar.jobId) {
    return tables(db)
      .updateTable(this.#table)
      .where('id', '=', id)
      .where('status', '=', 'sending')
      .where('job_id', jobId === null ? 'is' : '=', jobId);
  }

  #warn(row: Row, note: string): void {
    const text = `${this.kind.nameOf(row)}: ${note}`;
    if (this.#warnings++ < maxWarnings) this.#ar.warning(text);
    else this.#ar.debug(text);
  }
}

interface RowChange {
  readonly change: Partial<Columns>;
  /** Null when a person need not know. */
  readonly note: string | null;
}

function tables(db: SiteDatabase): OutboxDatabase {
  return db as unknown as OutboxDatabase;
}
