// Sending what waits in the outbox: each mail is claimed, sent and marked by itself.
//
// Between the transport's yes and the mark there is a moment in which this process may die. A mail whose job has
// ended while it was in hand is therefore sent once more, under the same Message-ID; if that is interrupted, too,
// it is given up: one copy too many is bearable, one at each crash is not.

import { type BaseRequest, sql } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { MailUrgency, OutboxMailRow } from '../store/tables.js';
import {
  forgetNews,
  isNews,
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
} from './transport.js';

/** After so many attempts, some 26 hours, a mail is given up. */
export const maxAttempts = 10;

const defaultTimeoutMs = 60_000;
const longestPauseMs = 6 * 3_600_000;

/** How long to wait after the attempt with this number, counted from 1: a minute, four, sixteen… up to six hours. */
export function pauseAfter(attempt: number): number {
  return Math.min(60_000 * 4 ** (attempt - 1), longestPauseMs);
}

/** How one attempt ended. */
type Verdict =
  | { readonly kind: 'sent' | 'refused' | 'failed'; readonly answer: string }
  | { readonly kind: 'down' | 'aborted'; readonly answer: string };

/** Sends what is pending and due, the longest waiting first, until there is no more or the run is to end. */
export async function sendPending(
  ar: BaseRequest,
  db: SiteDatabase,
  transport: MailTransport,
  urgencies: readonly MailUrgency[],
): Promise<void> {
  await takeBack(ar, db);
  const counts = { sent: 0, failed: 0 };
  const upTo = ar.now().getTime();
  while (await mayGoOn(ar.signal)) {
    const mail = await claim(ar, db, urgencies, upTo);
    if (mail === undefined) break;
    const verdict = await attempt(ar, transport, mail);
    await mark(ar, db, mail, verdict);
    if (verdict.kind === 'down') {
      const text = `no mail can be sent now, all wait: ${verdict.answer}`;
      if (isNews('down')) ar.warning(text);
      else ar.debug(text);
      break;
    }
    if (verdict.kind === 'sent') {
      counts.sent++;
      forgetNews('down');
    } else if (verdict.kind !== 'aborted') {
      counts.failed++;
    }
    ar.progress(counts.sent + counts.failed, undefined, 'mails');
  }
  const { sent, failed } = counts;
  if (sent + failed === 0) ar.debug('no mail is due');
  else ar.info(`${counted(sent, 'mail')} sent${failed === 0 ? '' : `, ${failed} failed`}`);
}

/** Mails that a job had in hand when it died. */
async function takeBack(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const orphans = await db
    .selectFrom('outbox_mails')
    .selectAll()
    .where('status', '=', 'sending')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('jobs')
            .select('jobs.id')
            .whereRef('jobs.id', '=', 'outbox_mails.job_id')
            .where('jobs.status', '=', 'running'),
        ),
      ),
    )
    .execute();
  for (const mail of orphans) {
    const isSecond = mail.interruptions > 0;
    const answer = isSecond
      ? 'given up: two jobs ended while they were sending it, so that it may have been sent twice'
      : `job ${mail.job_id} ended while it was sending it, so that it may have been sent`;
    await db
      .updateTable('outbox_mails')
      .set({ job_id: null, interruptions: mail.interruptions + 1, answer })
      .$if(isSecond, (query) => query.set({ status: 'failed', done_at: ar.now().getTime() }))
      .$if(!isSecond, (query) => query.set({ status: 'pending', next_attempt_at: ar.now().getTime() }))
      .where('id', '=', mail.id)
      .where('status', '=', 'sending')
      .where('job_id', mail.job_id === null ? 'is' : '=', mail.job_id)
      .execute();
    ar.warning(`mail ${mail.id} to ${mail.recipient}: ${answer}`, { messageId: mail.message_id });
  }
}

/** Takes the next mail in hand. Of two jobs that want the same one, one gets it. */
async function claim(
  ar: BaseRequest,
  db: SiteDatabase,
  urgencies: readonly MailUrgency[],
  upTo: number,
): Promise<OutboxMailRow | undefined> {
  const next = db
    .selectFrom('outbox_mails')
    .select('id')
    .where('status', '=', 'pending')
    .where('urgency', 'in', urgencies)
    .where('next_attempt_at', '<=', upTo)
    .orderBy('next_attempt_at')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked();
  return await db
    .updateTable('outbox_mails')
    .set({ status: 'sending', job_id: ar.jobId, attempts: sql`attempts + 1` })
    .where('id', '=', next)
    .where('status', '=', 'pending')
    .returningAll()
    .executeTakeFirst();
}

async function attempt(ar: BaseRequest, transport: MailTransport, mail: OutboxMailRow): Promise<Verdict> {
  const timeoutMs = transport.timeoutMs ?? defaultTimeoutMs;
  const limit = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([ar.signal, limit]);
  const outgoing = {
    messageId: mail.message_id,
    to: mail.recipient,
    from: mail.sender,
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
  };
  try {
    const answer = await unlessAborted(signal, async () => await transport.send(outgoing, signal));
    return { kind: 'sent', answer: String(answer ?? '') };
  } catch (error) {
    if (error instanceof MailRefusedError) return { kind: 'refused', answer: error.message };
    if (error instanceof MailTransportDownError) return { kind: 'down', answer: error.message };
    if (ar.signal.aborted) return { kind: 'aborted', answer: 'the run was ended while it was being sent' };
    if (limit.aborted) return { kind: 'failed', answer: `no answer within ${timeoutMs} ms` };
    return { kind: 'failed', answer: headline(error) };
  }
}

/** Also for a transport that does not look at its signal: it must not stop all mails for ever. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    void work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function mark(ar: BaseRequest, db: SiteDatabase, mail: OutboxMailRow, verdict: Verdict): Promise<void> {
  const now = ar.now().getTime();
  const isLast = verdict.kind === 'refused' || (verdict.kind === 'failed' && mail.attempts >= maxAttempts);
  const changes = (): Partial<OutboxMailRow> => {
    if (verdict.kind === 'sent') return { status: 'sent', done_at: now };
    if (isLast) return { status: 'failed', done_at: now };
    if (verdict.kind === 'failed') {
      return { status: 'pending', next_attempt_at: now + pauseAfter(mail.attempts) };
    }
    return { status: 'pending', attempts: verdict.kind === 'down' ? mail.attempts - 1 : mail.attempts };
  };
  await db
    .updateTable('outbox_mails')
    .set({ ...changes(), answer: verdict.answer, job_id: null })
    .where('id', '=', mail.id)
    .where('status', '=', 'sending')
    .where('job_id', '=', ar.jobId)
    .execute();
  if (verdict.kind === 'sent') ar.debug(`mail ${mail.id} to ${mail.recipient} sent: ${verdict.answer}`);
  if (verdict.kind !== 'failed' && verdict.kind !== 'refused') return;
  const next = isLast ? 'given up' : `next attempt in ${Math.round(pauseAfter(mail.attempts) / 60_000)} min`;
  ar.warning(
    `mail ${mail.id} to ${mail.recipient} failed (attempt ${mail.attempts}), ${next}: ${verdict.answer}`,
    {
      messageId: mail.message_id,
    },
  );
}
