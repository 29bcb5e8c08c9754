// Combines the daily mails of each recipient into one digest.

import { type BaseRequest, sql, transact } from '../../src/index.js';
import { headline } from '../shared/failures.js';
import { shouldContinue } from '../shared/pause.js';
import { SingleRegistration } from '../shared/registry.js';
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

/** Combines mails into one. `parts` has at least one, in the order of queueing. */
export type DigestComposer = (to: string, parts: readonly DigestPart[]) => Digest | Promise<Digest>;

const composer = new SingleRegistration<DigestComposer>();

/**
 * Registers the composer of digests, for the application's own layout and language. By default, the parts'
 * subjects are headings.
 *
 * @returns a function that removes it
 */
export function registerDigestComposer(compose: DigestComposer): () => void {
  return composer.set(compose);
}

/** The same expression as in the index, so that the database uses it: see procedures/store/tables.ts. */
const isForDigest = sql<boolean>`status = 'queued' and urgency = 'daily'`;

/** A second digest takes the rest: servers refuse large mails, and they cost memory. */
const maxParts = 1000;

/** Composes digests of all daily mails that wait. @returns how many digests */
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
    while ((await shouldContinue(ar.signal)) && (await makeDigest(ar, db, recipient, upTo))) made++;
  }
  return made;
}

/** @returns false when nothing was left */
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
  // One transaction stores the digest and marks its parts, so that each part is sent once. If another run
  // took some parts meanwhile, nothing is stored, and the next run tries again.
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

/** Sends the digest without the header if the application fails to return it. */
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
