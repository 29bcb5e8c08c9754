// One attempt at one mail: what the transport says of it, in time.

import { LinodError } from '../../src/index.js';
import { headline } from '../failures.js';
import type { OutboxMailRow } from '../store/tables.js';
import { checkContent, checkLine, InvalidMailError, parseAddress } from './addresses.js';
import { type Claims, MailClaimLostError, type Verdict } from './claims.js';
import {
  MailInDoubtError,
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
  type OutgoingMail,
} from './transport.js';

const defaultTimeoutMs = 60_000;
/** So long a transport that was told to end may take to say what became of the mail. */
const settleMs = 1000;

const outOfTime = Symbol('the transport took too long');

/**
 * Hands a mail to the transport and waits for its answer; never rejects for what the transport does.
 *
 * @param ending aborted when the run is to end
 */
export async function attempt(
  claims: Claims,
  transport: MailTransport,
  mail: OutboxMailRow,
  ending: AbortSignal,
): Promise<Verdict> {
  const timeoutMs = transport.timeoutMs ?? defaultTimeoutMs;
  const controller = new AbortController();
  const abort = () => controller.abort(ending.reason);
  const limit = setTimeout(() => controller.abort(outOfTime), timeoutMs);
  ending.addEventListener('abort', abort, { once: true });
  let isHandedOver = false;
  const handOver = async () => {
    await claims.handOver(mail);
    isHandedOver = true;
  };
  try {
    const outgoing = checked(mail);
    if (transport.handsOver !== true) await handOver();
    if (ending.aborted) abort();
    const sending = (async () => await transport.send(outgoing, controller.signal, handOver))();
    return { kind: 'sent', answer: String((await settled(sending, controller.signal)) ?? '') };
  } catch (error) {
    if (error instanceof MailRefusedError || error instanceof InvalidMailError) {
      return { kind: 'refused', answer: error.message };
    }
    if (error instanceof MailTransportDownError) return { kind: 'down', answer: error.message };
    if (error instanceof MailInDoubtError) return { kind: 'in doubt', answer: error.message };
    // Another job has it by now, and what this one says of it counts no more.
    if (error instanceof MailClaimLostError) return { kind: 'ended', answer: error.message };
    if (!controller.signal.aborted) return { kind: 'deferred', answer: answerOf(error) };
    const answer = ending.aborted
      ? 'the run was ended while it was being sent'
      : `no answer within ${timeoutMs} ms`;
    if (isHandedOver) return { kind: 'in doubt', answer };
    return { kind: ending.aborted ? 'ended' : 'deferred', answer };
  } finally {
    clearTimeout(limit);
    ending.removeEventListener('abort', abort);
  }
}

/** What the server said, or what the application's own transport threw. */
function answerOf(error: unknown): string {
  return error instanceof LinodError ? error.message : headline(error);
}

/** A row may come from elsewhere than `queueMail`. */
function checked(mail: OutboxMailRow): OutgoingMail {
  const { message_id: messageId, recipient: to, sender: from, subject, text, html, unsubscribe } = mail;
  parseAddress('to', to);
  if (from !== null) parseAddress('from', from);
  checkLine('subject', subject);
  checkLine('message_id', messageId);
  checkContent('text', text);
  return { messageId, to, from, subject, text, html, date: new Date(mail.queued_at), unsubscribe };
}

/** Also of a transport that does not look at its signal: it must not stop all mails for ever. */
async function settled<T>(sending: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason), settleMs);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([sending, givenUp]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
