// One mail a day for each recipient, made of all that is marked for it.

import { type BaseRequest, transact } from '../../src/index.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { OutboxMailRow } from '../store/tables.js';
import { newMail } from './outbox.js';

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

let composer: DigestComposer | undefined;

/**
 * Says how digests look, in the application's words and language. The default has the parts' subjects as headings.
 *
 * @returns takes it back
 */
export function registerDigestComposer(compose: DigestComposer): () => void {
  composer = compose;
  return () => {
    if (composer === compose) composer = undefined;
  };
}

/** Makes digests of all daily mails that wait. @returns how many digests */
export async function makeDigests(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const waiting = await db
    .selectFrom('outbox_mails')
    .select('recipient')
    .distinct()
    .where('status', '=', 'pending')
    .where('urgency', '=', 'daily')
    .orderBy('recipient')
    .execute();
  let made = 0;
  for (const { recipient } of waiting) {
    if (!(await mayGoOn(ar.signal))) break;
    if (await makeDigest(ar, db, recipient)) made++;
  }
  return made;
}

async function makeDigest(ar: BaseRequest, db: SiteDatabase, recipient: string): Promise<boolean> {
  const mails = await db
    .selectFrom('outbox_mails')
    .selectAll()
    .where('status', '=', 'pending')
    .where('urgency', '=', 'daily')
    .where('recipient', '=', recipient)
    .orderBy('id')
    .execute();
  const digest = await compose(ar, recipient, mails.map(partOf));
  const now = ar.now().getTime();
  const last = mails.at(-1)?.id ?? 0;
  // The digest and the marks on its parts are one step, so that a part travels once. Another run may have taken
  // some of them while this one was composing: then nothing is written, and the next run looks again.
  return await transact(db, async (tx) => {
    const still = await tx
      .selectFrom('outbox_mails')
      .select('id')
      .where('status', '=', 'pending')
      .where('urgency', '=', 'daily')
      .where('recipient', '=', recipient)
      .where('id', '<=', last)
      .orderBy('id')
      .forUpdate()
      .execute();
    if (mails.length === 0 || still.length !== mails.length) return false;
    const { id } = await tx
      .insertInto('outbox_mails')
      .values({
        ...newMail(now),
        recipient,
        sender: mails[0]?.sender ?? null,
        subject: digest.subject.replace(/[\r\n\0]+/g, ' '),
        text: digest.text,
        html: digest.html ?? null,
        urgency: 'digest',
        owner: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tx
      .updateTable('outbox_mails')
      .set({ status: 'digested', digest_id: id, done_at: now })
      .where('status', '=', 'pending')
      .where('urgency', '=', 'daily')
      .where('recipient', '=', recipient)
      .where('id', '<=', last)
      .execute();
    return true;
  });
}

async function compose(ar: BaseRequest, to: string, parts: readonly DigestPart[]): Promise<Digest> {
  if (composer === undefined) return defaultDigest(parts);
  try {
    const digest = await composer(to, parts);
    if (typeof digest?.subject === 'string' && typeof digest.text === 'string') return digest;
    ar.warning('the digest composer returned no subject and text; the default digest is sent');
  } catch (error) {
    ar.warning(`the digest composer failed, the default digest is sent: ${headline(error)}`, { error });
  }
  return defaultDigest(parts);
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
