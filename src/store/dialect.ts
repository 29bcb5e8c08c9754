// The few things that are said differently to different databases, each in one place.
//
// All other SQL is the same everywhere. What Kysely's query builder writes is adapted by the compilers in sqlite.ts
// and postgres/dialect.ts: on SQLite `forUpdate()` and its like say nothing, as its transactions hold the lock of the
// whole database; on PostgreSQL an `integer` has 64 bits, as it has on SQLite.

import type { QueryExecutorProvider, RawBuilder } from 'kysely';
import { PostgresAdapter, sql } from './kysely.js';

export type DialectName = 'sqlite' | 'postgres';

/** What kind of database a Kysely or a transaction speaks to. */
export function dialectOf(db: QueryExecutorProvider): DialectName {
  return db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite';
}

/** Whether a table exists. */
export async function hasTable(db: QueryExecutorProvider, name: string): Promise<boolean> {
  const query =
    dialectOf(db) === 'postgres'
      ? sql`select 1 where to_regclass(${name}) is not null`
      : sql`select 1 from sqlite_master where type = 'table' and name = ${name}`;
  return (await query.execute(db)).rows.length > 0;
}

/** What may be locked as a whole. The numbers are linod's among the advisory locks of a PostgreSQL database. */
const locks = { migrations: 1, rules: 2, groups: 3 } as const;
const lockClass = 0x6c696e6f;

/**
 * Waits until no other transaction holds this lock, and holds it until the transaction ends: for decisions about
 * rows that are not there yet, and so cannot be locked. On SQLite every transaction that writes is alone anyway.
 */
export async function lock(tx: QueryExecutorProvider, what: keyof typeof locks): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return;
  await sql`select pg_advisory_xact_lock(${lockClass}::integer, ${locks[what]}::integer)`.execute(tx);
}

/** In a transaction that holds what others wait for, so long may pass between two statements. */
const idleTransactionMs = 15_000;

/**
 * Has PostgreSQL end this transaction when its process says nothing for 15 s, as one that was stopped with SIGSTOP. On
 * SQLite nobody but the process can.
 */
export async function limitIdleTransaction(tx: QueryExecutorProvider): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return;
  await sql`set local idle_in_transaction_session_timeout = ${sql.lit(idleTransactionMs)}`.execute(tx);
}

export type ColumnType = 'integer' | 'text';

/** Columns of a list: what {@link listTable} and {@link listJson} have to agree on. */
export type Columns = Readonly<Record<string, ColumnType>>;

/**
 * A list of rows as a table that a statement can select from: one parameter, and so one statement, whatever their
 * number.
 *
 * @param json the rows as {@link listJson} writes them, or what stands for that in a prepared query
 * @example
 * const columns = { id: 'integer', status: 'text' } as const;
 * const ends = listTable(tx, listJson([{ id: 17, status: 'done' }], columns), columns);
 * await sql`update jobs set status = e.status from ${ends} as e where jobs.id = e.id`.execute(tx);
 */
export function listTable(
  db: QueryExecutorProvider,
  json: string | RawBuilder<string>,
  columns: Columns,
): RawBuilder<unknown> {
  const isPostgres = dialectOf(db) === 'postgres';
  const cells = Object.entries(columns).map(([name, type], i) => {
    const cell = isPostgres
      ? sql`cast(value ->> ${sql.lit(i)} as ${sql.raw(type === 'integer' ? 'bigint' : 'text')})`
      : sql`json_extract(value, ${sql.lit(`$[${i}]`)})`;
    return sql`${cell} as ${sql.ref(name)}`;
  });
  const list = isPostgres ? sql`json_array_elements(cast(${json} as json))` : sql`jsonb_each(${json})`;
  return sql`(select ${sql.join(cells)} from ${list})`;
}

/** Rows as {@link listTable} reads them. */
export function listJson<C extends Columns>(
  rows: ReadonlyArray<{ readonly [K in keyof C]: string | number | null }>,
  columns: C,
): string {
  const names: Array<keyof C> = Object.keys(columns);
  return JSON.stringify(rows.map((row) => names.map((name) => storable(row[name]))));
}

/** PostgreSQL takes neither NUL nor half of a surrogate pair in a text. */
function storable(value: string | number | null): string | number | null {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value;
}

/**
 * A list of numbers for `in`: one parameter, and so one statement, whatever their number.
 *
 * @param ids the numbers, or what stands for them, as JSON, in a prepared query
 */
export function idList(
  db: QueryExecutorProvider,
  ids: readonly number[] | RawBuilder<string>,
): RawBuilder<number> {
  const json = Array.isArray(ids) ? JSON.stringify(ids) : ids;
  return dialectOf(db) === 'postgres'
    ? sql<number>`(select cast(value as bigint) from json_array_elements_text(cast(${json} as json)))`
    : sql<number>`(select value from json_each(${json}))`;
}
