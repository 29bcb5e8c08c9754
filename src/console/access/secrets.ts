// What opens the console: one-time links, sessions, and the key that signs cookies. All are rows of the database, so
// that several consoles of a site share them, and a restart ends no session.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Insertable, Kysely } from 'kysely';
import { lock } from '../../store/dialect.js';
import type { Database } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import { transact } from '../../store/transact.js';
import type { Role } from '../api.js';
import type { Visitor } from '../context.js';
import { toRole } from '../roles.js';

const linkMs = 600_000;
/** How long a session lasts, whether it is used or not. */
export const sessionSeconds = 7 * 86_400;

type Db = Pick<Store, 'db'>;

/** Whom a secret lets in. */
export interface Holder {
  readonly name: string;
  readonly role: Role;
}

/** Makes a link's token, which opens one session within ten minutes. */
export async function createLink(store: Db, holder: Holder): Promise<string> {
  return await create(store, 'link', holder, linkMs);
}

/** Uses up a link's token. @returns null when it is unknown, used or too old */
export async function takeLink({ db }: Db, token: string): Promise<Holder | null> {
  // Of two that come at once, the database lets only one delete the row.
  const rows = await db
    .deleteFrom('console_secrets')
    .where('id', '=', hash(token))
    .where('purpose', '=', 'link')
    .where('expires_at', '>', Date.now())
    .returning(['user_name', 'role'])
    .execute();
  return holderOf(rows[0]);
}

/** @returns the secret for the cookie */
export async function createSession(store: Db, holder: Holder): Promise<string> {
  return await create(store, 'session', holder, sessionSeconds * 1000);
}

/** @returns null when the session has ended */
export async function findSession({ db }: Db, secret: string): Promise<Visitor | null> {
  const session = hash(secret);
  const row = await db
    .selectFrom('console_secrets')
    .select(['user_name', 'role'])
    .where('id', '=', session)
    .where('purpose', '=', 'session')
    .where('expires_at', '>', Date.now())
    .executeTakeFirst();
  const holder = holderOf(row);
  return holder && { ...holder, session };
}

export async function endSession({ db }: Db, session: string): Promise<void> {
  await db.deleteFrom('console_secrets').where('id', '=', session).execute();
}

/** Ends all sessions of a user, for example because the password was changed. */
export async function endSessionsOf({ db }: Db, user: string): Promise<void> {
  await db
    .deleteFrom('console_secrets')
    .where('user_name', '=', user)
    .where('purpose', '<>', 'signing')
    .execute();
}

/** The key of the cookies' signatures. Whoever reads it can still not guess a session. */
export async function signingKey({ db }: Db): Promise<string> {
  return await transact(db, async (tx) => {
    // Of two consoles that start at once, one makes the key.
    await lock(tx, 'console');
    const stored = tx.selectFrom('console_secrets').select('id').where('purpose', '=', 'signing');
    const found = await stored.executeTakeFirst();
    if (found !== undefined) return found.id;
    const id = randomBytes(32).toString('hex');
    await insert(tx, {
      id,
      purpose: 'signing',
      user_name: '',
      role: '',
      expires_at: Number.MAX_SAFE_INTEGER,
    });
    return id;
  });
}

/** The token that a page sends with each change. Pages of other sites cannot read it. */
export async function changeToken(store: Db, { name, session }: Visitor): Promise<string> {
  const key = await signingKey(store);
  return createHmac('sha256', key)
    .update(`change\n${session ?? ''}\n${name}`)
    .digest('base64url');
}

/** Compares without telling by its time how much is right. */
export function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(
    createHash('sha256').update(given).digest(),
    createHash('sha256').update(expected).digest(),
  );
}

async function create({ db }: Db, purpose: string, { name, role }: Holder, ms: number): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  await db.deleteFrom('console_secrets').where('expires_at', '<', Date.now()).execute();
  await insert(db, { id: hash(secret), purpose, user_name: name, role, expires_at: Date.now() + ms });
  return secret;
}

async function insert(
  db: Kysely<Database>,
  secret: Omit<Insertable<Database['console_secrets']>, 'created_at'>,
): Promise<void> {
  await db
    .insertInto('console_secrets')
    .values({ ...secret, created_at: Date.now() })
    .execute();
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function holderOf(row: { readonly user_name: string; readonly role: string } | undefined): Holder | null {
  const role = toRole(row?.role);
  return row === undefined || role === null ? null : { name: row.user_name, role };
}
