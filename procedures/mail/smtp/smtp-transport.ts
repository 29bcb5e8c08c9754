// Mails over SMTP, by nodemailer's pool of connections.

import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { SendMailOptions, SMTPPoolSentMessageInfo, Transporter } from 'nodemailer';
import { parseAddress } from '../addresses.js';
import type { MailTransport, OutgoingMail } from '../transport.js';
import { asMailError, type Step } from './answers.js';
import { parseMailUrl } from './url.js';

export interface SmtpOptions {
  /** The setting `mailUrl`. */
  readonly url: string;
  /** The sender of mails that name none. */
  readonly from: string;
  readonly connections: number;
  /** So many mails a second at most; null for no limit. */
  readonly perSecond: number | null;
}

/** Long enough for a server that looks at a large mail before it answers. Source: RFC 5321, section 4.5.3.2.6. */
const answerMs = 600_000;

/** One mail on its way, as nodemailer's plug-in needs to know it. */
interface Passage extends Step {
  readonly handOver: () => Promise<void>;
  /** What `handOver` threw. */
  refusal?: unknown;
}

export class SmtpTransport implements MailTransport {
  readonly handsOver = true;
  readonly connections: number;
  readonly timeoutMs: number;
  readonly #from: string;
  /** Between two mails. */
  readonly #distanceMs: number;
  #nextTurn = 0;
  readonly #mailer: Transporter<SMTPPoolSentMessageInfo>;
  readonly #passages = new Map<string, Passage>();

  /**
   * Loads nodemailer, and connects when the first mail is sent.
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
      // A server may close a connection that has been idle; once more is enough to find that out.
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
    // More would only wait for their turn, each in hand.
    this.connections =
      perSecond === null ? connections : Math.max(1, Math.min(connections, Math.floor(perSecond)));
    this.#distanceMs = perSecond === null ? 0 : 1000 / perSecond;
    this.timeoutMs = answerMs + this.connections * this.#distanceMs;
    this.#mailer = mailer;
    mailer.use('stream', (mail, done) => {
      const passage = this.#passages.get(mail.data.messageId ?? '');
      if (passage !== undefined) mail.message.processFunc((source) => passOn(source, passage));
      done();
    });
  }

  async send(mail: OutgoingMail, signal: AbortSignal, handOver: () => Promise<void>): Promise<string> {
    const passage: Passage = { isConnected: false, isHandedOver: false, handOver };
    this.#passages.set(mail.messageId, passage);
    // Once it may have been taken, only the answer helps.
    const early = new AbortController();
    const onAbort = () => {
      if (!passage.isHandedOver) early.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await this.#turn(early.signal);
      const { response } = await this.#mailer.sendMail({ ...this.#asMessage(mail), signal: early.signal });
      return response;
    } catch (error) {
      if (passage.refusal !== undefined) throw passage.refusal;
      if (early.signal.aborted) throw error;
      throw asMailError(error, passage);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#passages.delete(mail.messageId);
    }
  }

  /** Closes the connections, also those on which a mail is under way. */
  close(): void {
    this.#mailer.close({ force: true });
  }

  /** Waits, so that mails go at even distances: the rate of nodemailer's pool is one of bursts. */
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
        // Nobody is at home to read the answer of an absent recipient. Source: RFC 3834, section 5.
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

/** Called by nodemailer when it has a connection for the mail; the stream is read when the server asks for it. */
function passOn(source: Readable, passage: Passage): Readable {
  passage.isConnected = true;
  return Readable.from(announced(source, passage), { objectMode: false });
}

/** From its first byte on a mail may be taken. */
async function* announced(source: Readable, passage: Passage): AsyncGenerator<Buffer> {
  try {
    await passage.handOver();
    passage.isHandedOver = true;
  } catch (error) {
    passage.refusal = error;
    throw error;
  }
  yield* source;
}
