// Mail transports: the site's mail server, or one that the application registers.

import { LinodError } from '../../src/index.js';
import { SingleRegistration } from '../shared/registry.js';

/** A mail for a transport. */
export interface OutgoingMail {
  /**
   * The header `Message-ID`, with its angle brackets. Send it unchanged, so that receivers can recognise a
   * repeated mail.
   */
  readonly messageId: string;
  readonly to: string;
  /** Null: the transport's own address. */
  readonly from: string | null;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  /** When it was queued: the header `Date`, the same in all attempts. */
  readonly date: Date;
  /** Where recipients unsubscribe, for the header `List-Unsubscribe`. Null for mails that are not digests. */
  readonly unsubscribe: string | null;
}

/**
 * Sends mails.
 *
 * An error of `send` is a failed attempt at this mail, and the next mail is tried. A {@link MailRefusedError}
 * ends the attempts at this mail. A {@link MailTransportDownError} ends the run, and is no attempt at any
 * mail. After a {@link MailInDoubtError}, the mail is sent at most four more times. After any other error it
 * is tried again later, with growing pauses.
 */
export interface MailTransport {
  /**
   * Resolves when the other side has accepted the mail.
   *
   * @param signal aborted when the send takes too long, or the run ends
   * @param handOver call it and await it before the other side has enough to accept the mail. If it rejects,
   *   stop sending. A transport that never calls it sets `handsOver` to false
   * @returns the other side's answer, for the table
   */
  send(mail: OutgoingMail, signal: AbortSignal, handOver: () => Promise<void>): Promise<string>;
  /** Whether `send` calls `handOver`. Default false: the mail may be accepted as soon as `send` is called. */
  readonly handsOver?: boolean;
  /** How many mails it sends in parallel. Default 1. */
  readonly connections?: number;
  /** The time limit of one `send`. Default 60,000 ms. */
  readonly timeoutMs?: number;
}

/** The mail itself is refused, so that another attempt is useless: no such recipient, too large. */
export class MailRefusedError extends LinodError {
  constructor(answer: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_REFUSED', answer, options);
  }
}

/** The transport cannot send anything now: no connection, wrong password. */
export class MailTransportDownError extends LinodError {
  constructor(why: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_TRANSPORT_DOWN', why, options);
  }
}

/** The mail may have been accepted: the connection was lost before the answer. */
export class MailInDoubtError extends LinodError {
  constructor(why: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_IN_DOUBT', why, options);
  }
}

const registered = new SingleRegistration<MailTransport>();

/**
 * Registers a transport to use instead of the server in `mailUrl`, for example the API of a mail service. A
 * later transport replaces an earlier one.
 *
 * @returns a function that removes it
 */
export function registerMailTransport(transport: MailTransport): () => void {
  return registered.set(transport);
}

export function mailTransport(): MailTransport | undefined {
  return registered.value;
}
