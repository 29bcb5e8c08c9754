// Who carries mails: the site's mail server, or what the application registers in its place.

import { LinodError } from '../../src/index.js';
import { Slot } from '../registry.js';

/** A mail as a transport gets it. */
export interface OutgoingMail {
  /** The header `Message-ID`, with its angle brackets. Send it as it is: receivers tell a repeated mail by it. */
  readonly messageId: string;
  readonly to: string;
  /** Null: the transport's own address. */
  readonly from: string | null;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  /** When it was queued: the header `Date`, the same at every attempt. */
  readonly date: Date;
  /** Where the recipient is rid of such mails: for the header `List-Unsubscribe`. Null for mails that are no digests. */
  readonly unsubscribe: string | null;
}

/**
 * Sends mails.
 *
 * What `send` throws counts as a failed attempt at this mail, and the next mail is tried: a
 * {@link MailRefusedError} ends the attempts at this mail, a {@link MailTransportDownError} ends the run and counts
 * against no mail, and after a {@link MailInDoubtError} it is sent four more times at most. Anything else is tried again
 * later, with growing pauses.
 */
export interface MailTransport {
  /**
   * Resolves when the mail was taken.
   *
   * @param signal aborted when the send takes too long, or the run is to end
   * @param handOver to be called, and waited for, before the other side gets so much that it may take the mail; what it
   *   throws means: send no more of it. A transport that never calls it sets `handsOver` to false
   * @returns what the other side answered, for the table
   */
  send(mail: OutgoingMail, signal: AbortSignal, handOver: () => Promise<void>): Promise<string>;
  /** Whether `send` calls `handOver`. Default false: a mail may be taken from the moment on at which `send` is called. */
  readonly handsOver?: boolean;
  /** How many mails it sends side by side. Default 1. */
  readonly connections?: number;
  /** How long one send may take. Default 60,000 ms. */
  readonly timeoutMs?: number;
}

/** The mail itself is refused, so that trying again is of no use: no such recipient, too large. */
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

/** The mail may have been taken, and nobody can tell: the connection was lost before the answer. */
export class MailInDoubtError extends LinodError {
  constructor(why: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_IN_DOUBT', why, options);
  }
}

const registered = new Slot<MailTransport>();

/**
 * Says who carries mails, in place of the server that the setting `mailUrl` names: the interface of a mail service. A
 * later transport takes the place of an earlier one.
 *
 * @returns takes it back
 */
export function registerMailTransport(transport: MailTransport): () => void {
  return registered.fill(transport);
}

export function mailTransport(): MailTransport | undefined {
  return registered.value;
}
