// What the site's console shows of mails and pushes.

import type { Kysely } from 'kysely';
import { type ConsoleOutbox, type Database, registerConsoleOutbox, sql } from '../../src/index.js';
import { findMail, listMails, retryMails } from '../mail/list-mails.js';
import { deliveryStatuses, findDelivery, listDeliveries, retryDelivery } from '../push/list-deliveries.js';
import type { SiteDatabase } from '../store/open.js';
import { mailStatuses, type ProcedureTables } from '../store/tables.js';

type Query = Parameters<ConsoleOutbox['list']>[0];
type Row = Awaited<ReturnType<ConsoleOutbox['list']>>['rows'][number];
type Message = NonNullable<Awaited<ReturnType<ConsoleOutbox['find']>>>;

class SiteOutbox implements ConsoleOutbox {
  readonly #db: SiteDatabase;

  constructor(db: Kysely<Database>) {
    this.#db = db.withTables<ProcedureTables>();
  }

  async list(query: Query) {
    const { kind, limit } = query;
    const found = kind === 'mail' ? await this.#mails(query) : await this.#deliveries(query);
    const rows = found.slice(0, limit);
    return { rows, next: found.length > limit ? String(rows.at(-1)?.id) : null };
  }

  async find(kind: Query['kind'], id: number): Promise<Message | undefined> {
    return kind === 'mail' ? await this.#mail(id) : await this.#push(id);
  }

  async retry(kind: Query['kind'], id: number): Promise<boolean> {
    const now = new Date();
    if (kind === 'push') return await retryDelivery(this.#db, id, now);
    return (await retryMails(this.#db, [id], now)).length > 0;
  }

  /** By the indexes only, since there may be many sent ones. */
  async mark(): Promise<string> {
    const { rows } = await sql<object>`select
      (select max(id) from outbox_mails) as mail,
      (select max(done_at) from outbox_mails) as mailed,
      (select count(*) from outbox_mails where status = 'sending') as mailing,
      (select max(next_attempt_at) from outbox_mails
        where status in ('queued', 'deferred') and urgency <> 'daily') as next_mail,
      (select max(id) from push_deliveries) as push,
      (select max(done_at) from push_deliveries) as pushed,
      (select count(*) from push_deliveries where status = 'sending') as pushing,
      (select max(next_attempt_at) from push_deliveries where status = 'pending') as next_push`.execute(
      this.#db,
    );
    return JSON.stringify(rows);
  }

  async #mails({ state, after, limit }: Query): Promise<Row[]> {
    const states = mailStatuses.filter((status) => state === undefined || status === state);
    const mails = await listMails(this.#db, states, limit + 1, beforeOf(after));
    return mails.map(({ id, to, subject, state, attempts, queuedAt, nextAttemptAt, answer }) => ({
      kind: 'mail',
      id,
      to,
      subject,
      state,
      attempts,
      createdAt: queuedAt.toISOString(),
      nextAt: nextAttemptAt?.toISOString() ?? null,
      error: answer,
    }));
  }

  async #deliveries({ state, after, limit }: Query): Promise<Row[]> {
    const status = deliveryStatuses.find((known) => known === state);
    if (state !== undefined && status === undefined) return [];
    const rows = await listDeliveries(this.#db, { limit: limit + 1, status, before: beforeOf(after) });
    return rows.map(({ id, user, subscription, push, status, attempts, queued, next, answer }) => ({
      kind: 'push',
      id,
      to: `${user ?? '(gone)'}, subscription ${subscription}`,
      subject: `push ${push}`,
      state: status,
      attempts,
      createdAt: queued,
      nextAt: next,
      error: answer,
    }));
  }

  async #mail(id: number): Promise<Message | undefined> {
    const mail = await findMail(this.#db, id);
    if (mail === undefined) return undefined;
    const headers = headersOf({
      From: mail.sender,
      To: mail.recipient,
      Subject: mail.subject,
      'Message-ID': mail.message_id,
      'List-Unsubscribe': mail.unsubscribe,
    });
    return { headers, text: mail.text, html: mail.html };
  }

  async #push(id: number): Promise<Message | undefined> {
    const push = await findDelivery(this.#db, id);
    if (push === undefined) return undefined;
    const expires = new Date(push.expires_at).toISOString();
    const headers = headersOf({ To: push.user, Urgency: push.urgency, Topic: push.topic, Expires: expires });
    return { headers, text: push.payload, html: null };
  }
}

function beforeOf(after: string | undefined): number {
  return after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
}

function headersOf(values: Readonly<Record<string, string | null>>): Message['headers'] {
  return Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [{ name, value }]));
}

registerConsoleOutbox((db) => new SiteOutbox(db));
