// Who carries mails: the application registers it.

import { LinodError } from '../../src/index.js';

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
}

/**
 * Sends mails, one at a time.
 *
 * What `send` throws counts as a failed attempt at this mail, and the next mail is tried: a
 * {@link MailRefusedError} ends the attempts at this mail, a {@link MailTransportDownError} ends the run and counts
 * against no mail. Anything else is tried again later, with growing pauses.
 */
export interface MailTransport {
  /**
   * Resolves when the mail was taken.
   *
   * @param signal aborted when the send takes too long, or the run is to end
   * @returns what the other side answered, for the table
   */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<string>;
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

let registered: MailTransport | undefined;
/** What was told since there is this transport, or none. */
const told = new Set<string>();

/**
 * Says who carries mails. A later transport takes the place of an earlier one.
 *
 * @returns takes it back
 */
export function registerMailTransport(transport: MailTransport): () => void {
  registered = transport;
  told.clear();
  return () => {
    if (registered !== transport) return;
    registered = undefined;
    told.clear();
  };
}

export function mailTransport(): MailTransport | undefined {
  return registered;
}

/** True for the first call: what stays so for hours is told once, not every ten seconds. */
export function isNews(what: string): boolean {
  const isNew = !told.has(what);
  told.add(what);
  return isNew;
}

/** It is over, so that it would be news again. */
export function forgetNews(what: string): void {
  told.delete(what);
}
