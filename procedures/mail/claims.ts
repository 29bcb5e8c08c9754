// Which job has which mail in hand, and what is written about it. Every write names the job, so that one that was given
// up, since its worker stood still for a while, changes nothing of a mail that another has in hand by now.

import { type BaseRequest, LinodError, sql } from '../../src/index.js';
import { counted } from '../counted.js';
import { isOrphan } from '../store/held.js';
import type { SiteDatabase } from '../store/open.js';
import type { OutboxMailRow } from '../store/tables.js';
import { Together } from './together.js';

/**
 * After so many attempts a mail is given up, five days after the first: so long a sender should try.
 * Source: RFC 5321, section 4.5.4.1.
 */
export const maxAttempts = 24;

/** So many copies a recipient may get since workers died between the send and the mark: one too many. */
const copiesByCrash = 2;
/** And since a server hung up before it answered: it most likely took none, so that more attempts are worth it. */
const copiesByConnection = 5;

const longestPauseMs = 6 * 3_600_000;

/** How long to wait after the attempt with this number, counted from 1: a minute, four, sixteen… up to six hours. */
export function pauseAfter(attempt: number): number {
  return Math.min(60_000 * 4 ** (attempt - 1), longestPauseMs);
}

/**
 * How one attempt ended. in doubt: it may have been taken. down: nothing can be sent now, the mail is as good as any.
 * ended: the run was ended before the mail can have been taken.
 */
export interface Verdict {
  readonly kind: 'sent' | 'refused' | 'deferred' | 'in doubt' | 'down' | 'ended';
  readonly answer: string;
}

/** A job was given up while it had the mail in hand: another has it by now. */
export class MailClaimLostError extends LinodError {
  constructor(id: number) {
    super('LINOD_ERR_MAIL_CLAIM_LOST', `mail ${id} is no longer in this job's hands`);
  }
}

/** In the words of the index, so that it is used: see procedures/store/0001-tables.ts. */
export const isWaiting = sql<boolean>`status in ('queued', 'deferred') and urgency <> 'daily'`;

interface Sent {
  readonly id: number;
  readonly answer: string;
}

/** One job's hands. Mails that come so far at the same time share a statement. */
export class Claims {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #handOvers = new Together<number, boolean>(async (ids) => await this.#noteHandOver(ids));
  readonly #sent = new Together<Sent, void>(async (mails) => await this.#noteSent(mails));

  constructor(ar: BaseRequest, db: SiteDatabase) {
    this.#ar = ar;
    this.#db = db;
  }

  /** Takes mails in hand, up to so many, the longest waiting first. Of two jobs that want the same one, one gets it. */
  async take(limit: number): Promise<OutboxMailRow[]> {
    const next = this.#db
      .selectFrom('outbox_mails')
      .select('id')
      .where(isWaiting)
      .where('next_attempt_at', '<=', this.#ar.now().getTime())
      .orderBy('next_attempt_at')
      .orderBy('id')
      .limit(limit)
      .forUpdate()
      .skipLocked();
    const taken = await this.#db
      .updateTable('outbox_mails')
      .set({ status: 'sending', job_id: this.#ar.jobId, handed_over: 0, attempts: sql`attempts + 1` })
      .where('id', 'in', next)
      .where(isWaiting)
      .returningAll()
      .execute();
    return taken.toSorted((a, b) => a.next_attempt_at - b.next_attempt_at || a.id - b.id);
  }

  /**
   * Notes that from now on the mail may have been taken.
   *
   * @throws MailClaimLostError (`LINOD_ERR_MAIL_CLAIM_LOST`)
   */
  async handOver({ id }: OutboxMailRow): Promise<void> {
    if (!(await this.#handOvers.add(id))) throw new MailClaimLostError(id);
  }

  /** Lets go of mails that nothing was done with, as if they had not been taken in hand. */
  async release(mails: readonly OutboxMailRow[]): Promise<void> {
    if (mails.length === 0) return;
    await this.#mine(mails.map(({ id }) => id))
      .set({
        status: sql`case when attempts <= 1 then 'queued' else 'deferred' end`,
        attempts: sql`attempts - 1`,
        job_id: null,
      })
      .execute();
  }

  /** Writes how an attempt ended, and tells of a failure. */
  async mark(mail: OutboxMailRow, { kind, answer }: Verdict): Promise<void> {
    const now = this.#ar.now().getTime();
    const given = { answer, job_id: null, handed_over: 0 };
    const mine = () => this.#mine([mail.id]);
    const who = `mail ${mail.id} to ${mail.recipient}`;
    if (kind === 'sent') {
      await this.#sent.add({ id: mail.id, answer });
      this.#ar.debug(`${who} sent: ${answer}`);
    } else if (kind === 'down' || kind === 'ended') {
      // As if it had not been taken in hand.
      const attempts = mail.attempts - 1;
      await mine()
        .set({ ...given, attempts, status: attempts === 0 ? 'queued' : 'deferred' })
        .execute();
    } else if (kind === 'in doubt') {
      await this.#leaveInDoubt(mail, answer, copiesByConnection, pauseAfter(mail.attempts));
    } else if (kind === 'refused' || mail.attempts >= maxAttempts) {
      await mine()
        .set({ ...given, status: 'failed', done_at: now })
        .execute();
      this.#warn(mail, `failed (attempt ${mail.attempts}), given up: ${answer}`);
    } else {
      const pause = pauseAfter(mail.attempts);
      await mine()
        .set({ ...given, status: 'deferred', next_attempt_at: now + pause })
        .execute();
      const next = `next attempt in ${Math.round(pause / 60_000)} min`;
      this.#warn(mail, `deferred (attempt ${mail.attempts}), ${next}: ${answer}`);
    }
  }

  /**
   * Mails that a job had in hand when it ended. What it cannot have sent is queued as before, what it may have sent is
   * in doubt.
   */
  async takeBack(): Promise<void> {
    const orphans = await this.#db
      .selectFrom('outbox_mails')
      .selectAll()
      .where('status', '=', 'sending')
      .where(isOrphan('outbox_mails.job_id'))
      .orderBy('id')
      .execute();
    for (const mail of orphans) {
      if (mail.handed_over === 1) {
        await this.#leaveInDoubt(mail, `job ${mail.job_id} ended while it was sending it`, copiesByCrash);
      } else {
        await this.#mine([mail.id], mail.job_id)
          .set({
            status: mail.attempts <= 1 ? 'queued' : 'deferred',
            attempts: mail.attempts - 1,
            job_id: null,
          })
          .execute();
      }
    }
    const unsent = orphans.filter((mail) => mail.handed_over === 0).length;
    if (unsent > 0) this.#ar.info(`${counted(unsent, 'mail')} taken back from a job that ended`);
  }

  /** A copy too many is bearable, one at each crash is not: it is sent again, or given up when there may be so many. */
  async #leaveInDoubt(mail: OutboxMailRow, why: string, copies: number, pauseMs = 0): Promise<void> {
    const isLast = mail.interruptions + 1 >= copies;
    const answer = isLast
      ? `given up: it may have been sent ${mail.interruptions + 1} times, last since ${why}`
      : `it may have been sent, and is sent again: ${why}`;
    const now = this.#ar.now().getTime();
    await this.#mine([mail.id], mail.job_id)
      .set({ job_id: null, handed_over: 0, interruptions: mail.interruptions + 1, answer })
      .$if(isLast, (query) => query.set({ status: 'failed', done_at: now }))
      .$if(!isLast, (query) => query.set({ status: 'deferred', next_attempt_at: now + pauseMs }))
      .execute();
    this.#warn(mail, answer);
  }

  async #noteHandOver(ids: readonly number[]): Promise<(id: number) => boolean> {
    const rows = await this.#mine(ids).set({ handed_over: 1 }).returning('id').execute();
    const mine = new Set(rows.map((row) => row.id));
    return (id) => mine.has(id);
  }

  async #noteSent(mails: readonly Sent[]): Promise<() => void> {
    const answers = sql.join(
      mails.map(({ id, answer }) => sql`when ${id} then ${answer}`),
      sql` `,
    );
    await this.#mine(mails.map(({ id }) => id))
      .set({ status: 'sent', done_at: this.#ar.now().getTime(), job_id: null, handed_over: 0 })
      .set({ answer: sql<string>`case id ${answers} end` })
      .execute();
    return () => {};
  }

  #mine(ids: readonly number[], jobId: number | null = this.#ar.jobId) {
    return this.#db
      .updateTable('outbox_mails')
      .where('id', 'in', ids)
      .where('status', '=', 'sending')
      .where('job_id', jobId === null ? 'is' : '=', jobId);
  }

  #warn(mail: OutboxMailRow, text: string): void {
    this.#ar.warning(`mail ${mail.id} to ${mail.recipient}: ${text}`, { messageId: mail.message_id });
  }
}
