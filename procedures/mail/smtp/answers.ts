// Interprets nodemailer's errors: for the mail, and for the whole transport.

import { LinodError } from '../../../src/index.js';
import { headline } from '../../shared/failures.js';
import { MailInDoubtError, MailRefusedError, MailTransportDownError } from '../transport.js';

/** The progress of an attempt. */
export interface Step {
  /** Connected, with TLS and authentication if required, and about to send `MAIL FROM`. */
  isConnected: boolean;
  isHandedOver: boolean;
}

/** The server does not accept the mail now, and may later. */
export class MailDeferredError extends LinodError {
  constructor(answer: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_DEFERRED', answer, options);
  }
}

/** Errors of a reconnection, after the server closed an idle connection. */
const noConnection = new Set([
  'EDNS',
  'ETLS',
  'EAUTH',
  'ENOAUTH',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/**
 * Converts an error of nodemailer to one of a transport.
 *
 * A 5xx reply is permanent, except 503, which is about the order of commands. A 4xx reply is temporary.
 * Source: RFC 5321, section 4.2.1. If the connection ended without a reply, the progress of the mail decides.
 */
export function asMailError(error: unknown, { isConnected, isHandedOver }: Step): LinodError {
  const { code, originalCode, responseCode, response } = facts(error);
  const answer = (response ?? headline(error)).replace(/\s+/g, ' ').trim().slice(0, 1000);
  const options = { cause: error };
  if (!isConnected || noConnection.has(code) || noConnection.has(originalCode)) {
    return new MailTransportDownError(answer, options);
  }
  // Authentication required: all mails lack it.
  if (responseCode === 530) return new MailTransportDownError(answer, options);
  if (responseCode === undefined) {
    if (isHandedOver) return new MailInDoubtError(answer, options);
    // nodemailer itself refused it before it sent anything.
    return code === 'EENVELOPE'
      ? new MailRefusedError(answer, options)
      : new MailDeferredError(answer, options);
  }
  const isPermanent = responseCode >= 500 && responseCode !== 503;
  return isPermanent ? new MailRefusedError(answer, options) : new MailDeferredError(answer, options);
}

function facts(error: unknown) {
  const found = typeof error === 'object' && error !== null ? error : {};
  const text = (key: string): string => {
    const value: unknown = Reflect.get(found, key);
    return typeof value === 'string' ? value : '';
  };
  const responseCode: unknown = Reflect.get(found, 'responseCode');
  return {
    code: text('code'),
    originalCode: text('originalCode'),
    response: text('response') === '' ? undefined : text('response'),
    responseCode: typeof responseCode === 'number' && responseCode > 0 ? responseCode : undefined,
  };
}
