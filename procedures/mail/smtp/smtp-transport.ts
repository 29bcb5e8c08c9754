// Sends mails over SMTP with nodemailer's connection pool.

import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { SendMailOptions, SMTPPoolSentMessageInfo, Transporter } from 'nodemailer';
import { parseMailUrl } from '../../../src/index.js';
import { parseAddress } from '../addresses.js';
import type { MailTransport, OutgoingMail } from '../transport.js';
import { asMailError, type Step } from './answers.js';

export interface SmtpOptions {
  /** The setting `mailUrl`. */
  readonly url: string;
  /** The sender of mails without one. */
  readonly from: string;
  readonly connections: number;
  /** The maximum number of mails per second; null for no limit. */
  readonly perSecond: number | null;
}

/**
 * Long enough for a server that scans a large mail before it answers. Source: RFC 5321, section 4.5.3.2.6.
 */
const answerMs = 600_000;

/** A mail that is being sent, for nodemailer's plug-in. */
interface MailInTransit extends Step {
  readonly handOver: () => Promise<void>;
  /** The error of `handOver`. */
  refusal?: unknown;
}

export class SmtpTransport implements MailTransport {
  readonly handsOver = true;
  readonly connections: number;
  readonly timeoutMs: number;
  readonly #from: string;
  /** The interval between two mails. */
  readonly #distanceMs: number;
  #nextTurn = 0;
  readonly #mailer: Transporter<SMTPPoolSentMessageInfo>;
  readonly #inTransit = new Map<string, MailInTransit>();

  /**
   * Loads nodemailer. It connects when the first mail is sent.
   *
   * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`)
   */
  static async open(options: SmtpOptions): Promise<SmtpTransport> {
    const server = parseMailUrl(options.url);
    const { createTransport } = await import('nodemailer');
    const { connections } = options;
    const mailer = createTransport({
      ...server,
      pool: true,
      maxConnections: connections,
      maxMessages: Number.POSITIVE_INFINITY,
      // A server may close an idle connection; one more attempt is enough.
      maxRequeues: 1,
      connectionTimeout: 30_000,
      greetingTimeout: 30_000,
      socketTimeout: 300_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return new SmtpTransport(options, mailer);
  }

  private constructor(
    { from, connections, perSecond }: SmtpOptions,
    mailer: Transporter<SMTPPoolSentMessageInfo>,
  ) {
    this.#from = from;
    // Further connections would only wait for the rate limit, each with a claimed mail.
    this.connections =
      perSecond === null ? connections : Math.max(1, Math.min(connections, Math.floor(perSecond)));
    this.#distanceMs = perSecond === null ? 0 : 1000 / perSecond;
    this.timeoutMs = answerMs + this.connections * this.#distanceMs;
    this.#mailer = mailer;
    mailer.use('stream', (mail, done) => {
      const transit = this.#inTransit.get(mail.data.messageId ?? '');
      if (transit !== undefined) mail.message.processFunc((source) => announceHandOver(source, transit));
      done();
    });
  }

  async send(mail: OutgoingMail, signal: AbortSignal, handOver: () => Promise<void>): Promise<string> {
    const transit: MailInTransit = { isConnected: false, isHandedOver: false, handOver };
    this.#inTransit.set(mail.messageId, transit);
    // After the hand-over, only the server's answer shows the result.
    const early = new AbortController();
    const onAbort = () => {
      if (!transit.isHandedOver) early.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await this.#turn(early.signal);
      const { response } = await this.#mailer.sendMail({ ...this.#asMessage(mail), signal: early.signal });
      return response;
    } catch (error) {
      if (transit.refusal !== undefined) throw transit.refusal;
      if (early.signal.aborted) throw error;
      throw asMailError(error, transit);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#inTransit.delete(mail.messageId);
    }
  }

  /** Closes all connections, also while they send a mail. */
  close(): void {
    this.#mailer.close({ force: true });
  }

  /** Waits, so that mails are sent at even intervals: nodemailer's own rate limit allows bursts. */
  async #turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, this.#nextTurn);
    this.#nextTurn = at + this.#distanceMs;
    if (at > now) await setTimeout(Math.ceil(at - now), undefined, { signal });
  }

  #asMessage(mail: OutgoingMail): SendMailOptions {
    const { messageId, to, subject, text, date, unsubscribe } = mail;
    const from = mail.from ?? this.#from;
    return {
      messageId,
      date,
      from: parseAddress('from', from),
      to: parseAddress('to', to),
      subject,
      text,
      ...(mail.html === null ? {} : { html: mail.html }),
      headers: {
        // Prevents automatic replies, which nobody would read. Source: RFC 3834, section 5.
        'Auto-Submitted': 'auto-generated',
        ...unsubscribeHeaders(unsubscribe),
      },
    };
  }
}

/** Source: RFC 2369, section 3.2, and for one click RFC 8058, section 3.1. */
function unsubscribeHeaders(url: string | null): Record<string, string> {
  if (url === null) return {};
  if (!url.startsWith('https:')) return { 'List-Unsubscribe': `<${url}>` };
  return { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

/**
 * nodemailer calls this when it has a connection; it reads the stream when the server asks for the content.
 */
function announceHandOver(source: Readable, transit: MailInTransit): Readable {
  transit.isConnected = true;
  return Readable.from(withHandOver(source, transit), { objectMode: false });
}

/** Reports the hand-over before the first byte, from which on the server may accept the mail. */
async function* withHandOver(source: Readable, transit: MailInTransit): AsyncGenerator<Buffer> {
  try {
    await transit.handOver();
    transit.isHandedOver = true;
  } catch (error) {
    transit.refusal = error;
    throw error;
  }
  yield* source;
}
