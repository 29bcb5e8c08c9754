// The accounts of the console. Whatever changes one ends the sessions of its user.

import type { Selectable } from 'kysely';
import { LinodError, UsageError } from '../../base/errors.js';
import type { Database } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import type { Role } from '../api.js';
import { toRole } from '../roles.js';
import { hashPassword, isPassword } from './passwords.js';
import { endSessionsOf } from './secrets.js';

type Db = Pick<Store, 'db'>;

export interface Account {
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  /** When its role or password was changed. */
  readonly changedAt: Date;
}

/** There is no such account, or there is one already. */
export class AccountError extends LinodError {
  constructor(message: string) {
    super('LINOD_ERR_ACCOUNT', message);
  }
}

export async function listAccounts({ db }: Db): Promise<Account[]> {
  const rows = await db.selectFrom('console_users').selectAll().orderBy('name').execute();
  return rows.map(accountOf);
}

/** @throws UsageError for a bad name or password; AccountError when there is one of this name */
export async function addAccount({ db }: Db, name: string, role: Role, password: string): Promise<void> {
  if (!/^[\p{L}\p{N}_.@-]{1,64}$/u.test(name))
    throw new UsageError(
      `expected a name of 1 to 64 letters, digits, "_", ".", "@" or "-", got: ${JSON.stringify(name)}`,
    );
  const now = Date.now();
  const row = { name, role, password: await hashPassword(password), created_at: now, changed_at: now };
  const added = await db
    .insertInto('console_users')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst();
  if (added.numInsertedOrUpdatedRows === 0n) throw new AccountError(`there is a user ${name} already`);
}

/** @throws AccountError when there is none */
export async function removeAccount(store: Db, name: string): Promise<void> {
  const { numDeletedRows } = await store.db
    .deleteFrom('console_users')
    .where('name', '=', name)
    .executeTakeFirst();
  requireOne(numDeletedRows, name);
  await endSessionsOf(store, name);
}

/** @throws AccountError when there is none */
export async function setRole(store: Db, name: string, role: Role): Promise<void> {
  await change(store, name, { role });
}

/** @throws UsageError for a bad password; AccountError when there is none */
export async function setPassword(store: Db, name: string, password: string): Promise<void> {
  await change(store, name, { password: await hashPassword(password) });
}

/** Whom a name and a password let in; null for nobody. */
export async function findByPassword({ db }: Db, name: string, password: string): Promise<Account | null> {
  const row = await db.selectFrom('console_users').selectAll().where('name', '=', name).executeTakeFirst();
  if (!(await isPassword(password, row?.password)) || row === undefined) return null;
  return accountOf(row);
}

/** Whether nobody has changed or removed the account since it was read. */
export async function isCurrent(store: Db, { name, changedAt }: Account): Promise<boolean> {
  const accounts = await listAccounts(store);
  return accounts.some((now) => now.name === name && now.changedAt.getTime() === changedAt.getTime());
}

function accountOf(row: Selectable<Database['console_users']>): Account {
  return {
    name: row.name,
    role: toRole(row.role) ?? 'viewer',
    createdAt: new Date(row.created_at),
    changedAt: new Date(row.changed_at),
  };
}

async function change(
  store: Db,
  name: string,
  columns: { readonly role: Role } | { readonly password: string },
): Promise<void> {
  const { numUpdatedRows } = await store.db
    .updateTable('console_users')
    .set({ ...columns, changed_at: Date.now() })
    .where('name', '=', name)
    .executeTakeFirst();
  requireOne(numUpdatedRows, name);
  await endSessionsOf(store, name);
}

function requireOne(count: bigint, name: string): void {
  if (count === 0n)
    throw new AccountError(
      `there is no user ${JSON.stringify(name)}; "linod console user list" lists all users`,
    );
}
