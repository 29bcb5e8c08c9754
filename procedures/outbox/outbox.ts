// A table of what waits to be sent, mails or pushes: which job has which row in hand, and what is written about it.
//
// Every write names the job, so that one that was given up, since its worker stood still for a while, changes nothing of a
// row that another has in hand by now. Between the other side's yes and the mark there is a moment in which a process may
// die. A row that may have been sent is sent once more, and then given up: one copy too many is bearable, one at each
// crash is not.

import type { Kysely, RawBuilder, SqlBool } from 'kysely';
import { type BaseRequest, LinodError, sql, transact } from '../../src/index.js';
import { counted } from '../counted.js';
import { deleteBefore } from '../delete-old.js';
import { daysBefore } from '../retention.js';
import type { SiteDatabase } from '../store/open.js';

/** What each such table has. */
export interface OutboxRow {
  readonly id: number;
  readonly status: string;
  /** How often it was tried to send it. */
  readonly attempts: number;
  /** How many of the attempts left it in doubt whether it was taken. */
  readonly interruptions: number;
  /** 1 from the moment on at which it may have been taken, and until there is an answer. */
  readonly handed_over: number;
  readonly next_attempt_at: number;
  /** The job that has it in hand. */
  readonly job_id: number | null;
  readonly answer: string | null;
  readonly done_at: number | null;
}

/** What mails and pushes differ in. */
export interface OutboxKind<Row extends OutboxRow> {
  readonly table: 'outbox_mails' | 'push_deliveries';
  readonly one: string;
  readonly many: string;
  /** What may be due, in the words of the table's index, so that it is used. */
  readonly isWaiting: RawBuilder<SqlBool>;
  /** The status of a row that waits after so many attempts. */
  waiting(attempts: number): string;
  readonly maxAttempts: number;
  /** How many copies there may be since the other side did not answer, or the run was ended before it did. */
  readonly maxCopies: number;
  /** How long to wait after the attempt with this number, counted from 1, in ms. */
  pauseAfter(attempt: number): number;
  /** What the log calls a row. */
  nameOf(row: Row): string;
}

/**
 * How one attempt ended. deferred: it was not taken, and is tried again. put off: the other side wants it later, which is
 * no failure. in doubt: it may have been taken. down: nothing can be sent now, this row is as good as any. ended: the
 * run was ended before it can have been taken.
 */
export interface Verdict {
  readonly kind: 'sent' | 'refused' | 'deferred' | 'put off' | 'in doubt' | 'down' | 'ended';
  /** What the other side said. */
  readonly answer: string;
  /** put off: not before this time. deferred: after this time it is of no use. In ms since 1970. */
  readonly at?: number;
  /** refused: what follows from it, for the log. Default: given up. */
  readonly next?: string;
  /** What is written with it, in the same transaction. */
  readonly also?: (tx: SiteDatabase) => Promise<void>;
}

/** A job was given up while it had a row in hand: another has it by now. */
export class ClaimLostError extends LinodError {
  constructor(name: string) {
    super('LINOD_ERR_CLAIM_LOST', `${name} is no longer in this job's hands`);
  }
}

/** So many copies there may be since workers died between the send and the mark: one too many. */
const copiesByCrash = 2;
/** So many failures of a run are warnings; the others are in the table. */
const maxWarnings = 20;

type Columns = { -readonly [K in keyof OutboxRow]: OutboxRow[K] };
/** To Kysely each of the tables is this one. */
type OutboxDatabase = Kysely<{ outbox: Columns }>;

/** One job's hands. */
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

  /** How many are due, or in the hands of a job. */
  async countDue(): Promise<number> {
    const { count } = await tables(this.#db)
      .selectFrom(this.#table)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      // The state itself: with a value SQLite would plan the query twice, since there is an index of just this state.
      .where((eb) => eb.or([this.#isDue, sql<SqlBool>`status = 'sending'`]))
      .executeTakeFirstOrThrow();
    return count;
  }

  /** Takes rows in hand, up to so many, the longest waiting first. Of two jobs that want the same one, one gets it. */
  async take(limit: number): Promise<Row[]> {
    const next = tables(this.#db)
      .selectFrom(this.#table)
      .select('id')
      .where(this.#isDue)
      .orderBy('next_attempt_at')
      .orderBy('id')
      .limit(limit)
      .forUpdate()
      .skipLocked();
    const taken = await tables(this.#db)
      .updateTable(this.#table)
      .set({ status: 'sending', job_id: this.#ar.jobId, handed_over: 0, attempts: sql`attempts + 1` })
      .where('id', 'in', next)
      .where(this.kind.isWaiting)
      .returningAll()
      .execute();
    taken.sort((a, b) => a.next_attempt_at - b.next_attempt_at || a.id - b.id);
    return taken as unknown as Row[];
  }

  /**
   * Notes that from now on the row may have been taken by the other side.
   *
   * @throws ClaimLostError (`LINOD_ERR_CLAIM_LOST`)
   */
  async handOver(row: Row): Promise<void> {
    const { numUpdatedRows } = await this.#mine(this.#db, row.id).set({ handed_over: 1 }).executeTakeFirst();
    if (numUpdatedRows === 0n) throw new ClaimLostError(this.kind.nameOf(row));
  }

  /** Writes how an attempt ended, and logs a failure. */
  async mark(row: Row, verdict: Verdict): Promise<void> {
    const { change, note } = this.#follows(row, verdict);
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

  /** What jobs had in hand when they ended: what cannot have been sent waits as before, what may have been is in doubt. */
  async takeBack(): Promise<void> {
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
    if (unsent > 0) this.#ar.info(`${counted(unsent, one, many)} taken back from a job that ended`);
  }

  /** Deletes what was sent or given up some time ago. */
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

  /** What is written after an attempt, and what the log says of it. */
  #follows(row: Row, verdict: Verdict): Following {
    const { kind, answer, at = Number.POSITIVE_INFINITY, next = 'given up' } = verdict;
    const { maxAttempts, maxCopies, pauseAfter, waiting } = this.kind;
    const now = this.#ar.now().getTime();
    const failed = (what: string) => `failed (attempt ${row.attempts}), ${what}: ${answer}`;
    if (kind === 'sent') return { change: { status: 'sent', done_at: now }, note: null };
    if (kind === 'down' || kind === 'ended') return this.#asBefore(row);
    const pauseMs = pauseAfter(row.attempts);
    if (kind === 'in doubt') return this.#inDoubt(row, answer, maxCopies, pauseMs);
    if (kind === 'put off') {
      const note = failed(`put off until ${new Date(at).toISOString()}`);
      return { change: { ...this.#asBefore(row).change, next_attempt_at: at }, note };
    }
    if (kind === 'refused' || row.attempts >= maxAttempts || now + pauseMs >= at) {
      return { change: { status: 'failed', done_at: now }, note: failed(next) };
    }
    const pause = pauseMs < 60_000 ? `${pauseMs / 1000} s` : `${Math.round(pauseMs / 60_000)} min`;
    const change = { status: waiting(row.attempts), next_attempt_at: now + pauseMs };
    return { change, note: failed(`next attempt in ${pause}`) };
  }

  /** As if it had not been taken in hand. */
  #asBefore({ attempts }: Row): Following {
    return { change: { status: this.kind.waiting(attempts - 1), attempts: attempts - 1 }, note: null };
  }

  #inDoubt(row: Row, why: string, maxCopies: number, pauseMs: number): Following {
    const now = this.#ar.now().getTime();
    const interruptions = row.interruptions + 1;
    if (interruptions >= maxCopies) {
      const answer = `given up: it may have been sent ${interruptions} times, last since ${why}`;
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

interface Following {
  readonly change: Partial<Columns>;
  /** Null for nothing that a person has to know. */
  readonly note: string | null;
}

function tables(db: SiteDatabase): OutboxDatabase {
  return db as unknown as OutboxDatabase;
}
