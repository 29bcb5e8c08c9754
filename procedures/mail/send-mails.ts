// The outbox of mails: its parameters, and one attempt at one mail.

import { BadConfigError, type BaseRequest, LinodError, sql } from '../../src/index.js';
import { ClaimLostError, type OutboxKind, type Verdict } from '../outbox/outbox.js';
import { sendPending, type Transport } from '../outbox/send-pending.js';
import { headline } from '../shared/failures.js';
import type { SiteDatabase } from '../store/open.js';
import type { OutboxMailRow } from '../store/tables.js';
import { checkContent, checkLine, InvalidMailError, parseAddress } from './addresses.js';
import { SmtpTransport } from './smtp/smtp-transport.js';
import {
  MailInDoubtError,
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
  mailTransport,
  type OutgoingMail,
} from './transport.js';

const longestPauseMs = 6 * 3_600_000;
const defaultTimeoutMs = 60_000;
/** How long an aborted transport may take to report the result. */
const settleMs = 1000;

export const mails: OutboxKind<OutboxMailRow> = {
  table: 'outbox_mails',
  one: 'mail',
  many: 'mails',
  isWaiting: sql`status in ('queued', 'deferred') and urgency <> 'daily'`,
  waiting: (attempts) => (attempts === 0 ? 'queued' : 'deferred'),
  // The last attempt is five days after the first, as recommended. Source: RFC 5321, section 4.5.4.1.
  maxAttempts: 24,
  // A server that hung up before its answer most likely did not accept the mail, so several copies are worth
  // the risk.
  maxCopies: 5,
  // A minute, four, sixteen… up to six hours.
  pauseAfter: (attempt) => Math.min(60_000 * 4 ** (attempt - 1), longestPauseMs),
  nameOf: ({ id, recipient }) => `mail ${id} to ${recipient}`,
};

/** Sends the due mails with the registered transport, or with the site's mail server. */
export async function sendMails(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  await sendPending(ar, db, mails, async () => await openTransport(ar));
}

async function openTransport({ site }: BaseRequest): Promise<Transport<OutboxMailRow>> {
  const registered = mailTransport();
  if (registered !== undefined) return adapt(registered, () => undefined);
  const { mailUrl: url, mailFrom: from, mailConnections: connections, mailsPerSecond } = site.settings;
  const bad = (key: string, problem: string) => new BadConfigError(site.configFile, key, problem);
  if (url === null)
    throw bad('mailUrl', 'expected the URL of a mail server, or a call of registerMailTransport; got none');
  if (from === null) throw bad('mailFrom', 'expected the sender of mails, got none');
  const smtp = await SmtpTransport.open({ url, from, connections, perSecond: mailsPerSecond });
  return adapt(smtp, () => smtp.close());
}

function adapt(transport: MailTransport, close: () => void): Transport<OutboxMailRow> {
  return {
    connections: transport.connections ?? 1,
    attempt: (mail, handOver, ending) => attempt(transport, mail, handOver, ending),
    close,
  };
}

const outOfTime = Symbol('the transport took too long');

/** Passes a mail to the transport and waits for its answer. */
async function attempt(
  transport: MailTransport,
  mail: OutboxMailRow,
  noteHandOver: () => Promise<void>,
  ending: AbortSignal,
): Promise<Verdict> {
  const timeoutMs = transport.timeoutMs ?? defaultTimeoutMs;
  const controller = new AbortController();
  const abort = () => controller.abort(ending.reason);
  const limit = setTimeout(() => controller.abort(outOfTime), timeoutMs);
  ending.addEventListener('abort', abort, { once: true });
  let isHandedOver = false;
  const handOver = async () => {
    await noteHandOver();
    isHandedOver = true;
  };
  try {
    const outgoing = checked(mail);
    if (transport.handsOver !== true) await handOver();
    if (ending.aborted) abort();
    const sending = (async () => await transport.send(outgoing, controller.signal, handOver))();
    return { kind: 'sent', answer: String((await settled(sending, controller.signal)) ?? '') };
  } catch (error) {
    const verdict = verdictOf(error);
    if (verdict !== undefined) return verdict;
    if (!controller.signal.aborted) return { kind: 'deferred', answer: answerOf(error) };
    const answer = ending.aborted ? 'the run ended during the attempt' : `no answer within ${timeoutMs} ms`;
    if (isHandedOver) return { kind: 'in doubt', answer };
    return { kind: ending.aborted ? 'ended' : 'deferred', answer };
  } finally {
    clearTimeout(limit);
    ending.removeEventListener('abort', abort);
  }
}

/** The meaning of a transport's error; undefined for an error that says nothing about the mail. */
function verdictOf(error: unknown): Verdict | undefined {
  if (!(error instanceof LinodError)) return undefined;
  const answer = error.message;
  if (error instanceof MailRefusedError || error instanceof InvalidMailError)
    return { kind: 'refused', answer };
  if (error instanceof MailTransportDownError) return { kind: 'down', answer };
  if (error instanceof MailInDoubtError) return { kind: 'in doubt', answer };
  // Another job has claimed the mail, so this result is irrelevant.
  if (error instanceof ClaimLostError) return { kind: 'ended', answer };
  return undefined;
}

/** What the server answered, or the application's own transport threw. */
function answerOf(error: unknown): string {
  return error instanceof LinodError ? error.message : headline(error);
}

/** Validates a row that `queueMail` may not have written. */
function checked(mail: OutboxMailRow): OutgoingMail {
  const { message_id: messageId, recipient: to, sender: from, subject, text, html, unsubscribe } = mail;
  parseAddress('to', to);
  if (from !== null) parseAddress('from', from);
  checkLine('subject', subject);
  checkLine('message_id', messageId);
  checkContent('text', text);
  return { messageId, to, from, subject, text, html, date: new Date(mail.queued_at), unsubscribe };
}

/** Limits the wait for a transport that ignores its signal, so that it cannot block all mails for ever. */
async function settled<T>(sending: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    const onAbort = () => {
      timer = setTimeout(() => reject(signal.reason), settleMs);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([sending, givenUp]);
  } finally {
    clearTimeout(timer);
  }
}
