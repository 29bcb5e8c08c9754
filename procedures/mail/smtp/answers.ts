// What an error of nodemailer means for the mail, and for the others.

import { LinodError } from '../../../src/index.js';
import { headline } from '../../failures.js';
import { MailInDoubtError, MailRefusedError, MailTransportDownError } from '../transport.js';

/** How far an attempt has come. */
export interface Step {
  /** Connected, with TLS and authentication where they are wanted, and about to say `MAIL FROM`. */
  isConnected: boolean;
  isHandedOver: boolean;
}

/** The server does not take the mail now, and may later. */
export class MailDeferredError extends LinodError {
  constructor(answer: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_MAIL_DEFERRED', answer, options);
  }
}

/** Of a connection that is made anew after the server has closed an idle one. */
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
 * The error that a transport throws for one of nodemailer.
 *
 * A reply of the server counts as it is meant: 5xx for ever, but 503, which is about the order of commands; 4xx for
 * now. Source: RFC 5321, section 4.2.1. Where the connection ended without a reply, it counts how far the mail was.
 */
export function asMailError(error: unknown, { isConnected, isHandedOver }: Step): LinodError {
  const { code, originalCode, responseCode, response } = facts(error);
  const answer = (response ?? headline(error)).replace(/\s+/g, ' ').trim().slice(0, 1000);
  const options = { cause: error };
  if (!isConnected || noConnection.has(code) || noConnection.has(originalCode)) {
    return new MailTransportDownError(answer, options);
  }
  // Authentication required: what this mail lacks, all lack.
  if (responseCode === 530) return new MailTransportDownError(answer, options);
  if (responseCode === undefined) {
    if (isHandedOver) return new MailInDoubtError(answer, options);
    // Refused by nodemailer itself, before a word was said.
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
