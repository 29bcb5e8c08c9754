// One mail a day for each recipient, made of all that is marked for it.

import { type BaseRequest, sql, transact } from '../../src/index.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import { Slot } from '../registry.js';
import type { SiteDatabase } from '../store/open.js';
import type { OutboxMailRow } from '../store/tables.js';
import { newMail } from './queue-mail.js';
import { unsubscribeUrl } from './unsubscribe.js';

/** A part of a digest: a mail that was queued with `urgency: 'daily'`. */
export interface DigestPart {
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly owner: string | null;
  readonly queuedAt: Date;
}

export interface Digest {
  readonly subject: string;
  readonly text: string;
  readonly html?: string | null | undefined;
}

/** Makes one mail of many. `parts` has at least one, in the order in which they were queued. */
export type DigestComposer = (to: string, parts: readonly DigestPart[]) => Digest | Promise<Digest>;

const composer = new Slot<DigestComposer>();

/**
 * Says how digests look, in the application's words and language. The default has the parts' subjects as headings.
 *
 * @returns takes it back
 */
export function registerDigestComposer(compose: DigestComposer): () => void {
  return composer.fill(compose);
}

/** In the words of the index, so that it is used: see procedures/store/tables.ts. */
const isForDigest = sql<boolean>`status = 'queued' and urgency = 'daily'`;

/** What exceeds this goes into a second digest: large mails are refused, and would fill this process's memory. */
const maxParts = 1000;

/** Makes digests of all daily mails that wait. @returns how many digests */
export async function makeDigests(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const waiting = await db
    .selectFrom('outbox_mails')
    .select((eb) => ['recipient', eb.fn.max<number>('id').as('upTo')])
    .where(isForDigest)
    .groupBy('recipient')
    .orderBy('recipient')
    .execute();
  let made = 0;
  for (const { recipient, upTo } of waiting) {
    while ((await mayGoOn(ar.signal)) && (await makeDigest(ar, db, recipient, upTo))) made++;
  }
  return made;
}

/** @returns false when there was nothing left */
async function makeDigest(
  ar: BaseRequest,
  db: SiteDatabase,
  recipient: string,
  upTo: number,
): Promise<boolean> {
  const mails = await db
    .selectFrom('outbox_mails')
    .selectAll()
    .where(isForDigest)
    .where('recipient', '=', recipient)
    .where('id', '<=', upTo)
    .orderBy('id')
    .limit(maxParts)
    .execute();
  if (mails.length === 0) return false;
  const digest = await compose(ar, recipient, mails.map(partOf));
  const unsubscribe = await findUnsubscribeUrl(ar, recipient);
  const now = ar.now().getTime();
  const last = mails.at(-1)?.id ?? 0;
  // The digest and the marks on its parts are one step, so that a part travels once. Another run may have taken
  // some of them while this one was composing: then nothing is written, and the next run looks again.
  return await transact(db, async (tx) => {
    const still = await tx
      .selectFrom('outbox_mails')
      .select('id')
      .where(isForDigest)
      .where('recipient', '=', recipient)
      .where('id', '<=', last)
      .orderBy('id')
      .forUpdate()
      .execute();
    if (still.length !== mails.length) return false;
    const { id } = await tx
      .insertInto('outbox_mails')
      .values({
        ...newMail(now, mails[0]?.sender),
        recipient,
        sender: mails[0]?.sender ?? null,
        subject: digest.subject.replace(/[\r\n\0]+/g, ' '),
        text: digest.text.replaceAll('\0', ''),
        html: digest.html?.replaceAll('\0', '') ?? null,
        unsubscribe,
        urgency: 'digest',
        owner: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tx
      .updateTable('outbox_mails')
      .set({ status: 'digested', digest_id: id, done_at: now })
      .where(isForDigest)
      .where('recipient', '=', recipient)
      .where('id', '<=', last)
      .execute();
    return true;
  });
}

/** A digest without the header is better than none. */
async function findUnsubscribeUrl(ar: BaseRequest, recipient: string): Promise<string | null> {
  try {
    return await unsubscribeUrl(recipient);
  } catch (error) {
    ar.warning(`a digest goes out without List-Unsubscribe: ${headline(error)}`);
    return null;
  }
}

async function compose(ar: BaseRequest, to: string, parts: readonly DigestPart[]): Promise<Digest> {
  if (composer.value === undefined) return defaultDigest(parts);
  try {
    const digest = await composer.value(to, parts);
    if (isDigest(digest)) return digest;
    ar.warning('the digest composer returned no digest of texts; the default digest is sent');
  } catch (error) {
    ar.warning(`the digest composer failed, the default digest is sent: ${headline(error)}`, { error });
  }
  return defaultDigest(parts);
}

function isDigest(digest: Partial<Record<keyof Digest, unknown>> | null | undefined): digest is Digest {
  if (typeof digest?.subject !== 'string' || typeof digest.text !== 'string') return false;
  return digest.html === undefined || digest.html === null || typeof digest.html === 'string';
}

function defaultDigest(parts: readonly DigestPart[]): Digest {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const text = parts.map(
    (part) => `${part.subject}\n${'-'.repeat(part.subject.length)}\n\n${part.text.trim()}\n`,
  );
  return { subject: `${first?.subject ?? ''} and ${parts.length - 1} more`, text: text.join('\n\n') };
}

function partOf(mail: OutboxMailRow): DigestPart {
  const { subject, text, html, owner } = mail;
  return { subject, text, html, owner, queuedAt: new Date(mail.queued_at) };
}
