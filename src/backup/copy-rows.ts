// Copies the rows of a site from one database into another of any kind, and compares both.

import { createHash } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import { dialectOf } from '../store/dialect.js';
import type { AnyTables } from '../store/migrate.js';
import type { Store } from '../store/store.js';
import { CopyDiffersError } from './errors.js';
import { type SiteTable, siteTables, untyped } from './site-tables.js';

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
  /** The same for the same rows in any order. */
  readonly checksum: string;
}

/** Called with every batch of rows, before it is written. When it throws, the copy is undone. */
export type OnRows = (table: string, rows: number) => void;

type Row = Record<string, unknown>;

const batchRows = 500;
/** SQLite takes 32,766 parameters a statement, and PostgreSQL 65,535. */
const batchParameters = 30_000;

/**
 * Copies all rows as they are at one moment, in one transaction. What the target's tables hold is replaced.
 * Reading PostgreSQL blocks nobody; a SQLite source is locked meanwhile, so that nothing is written to it after
 * it was copied.
 *
 * @throws CopyDiffersError (`LINOD_ERR_COPY_DIFFERS`) when the target does not hold what the source held
 */
export async function copyRows(from: Store, to: Store, onRows: OnRows): Promise<CopiedTable[]> {
  const tables = await siteTables();
  const [reader, writer] = [untyped(from.connect()), untyped(to.connect())];
  try {
    const snapshot = reader.transaction().setIsolationLevel('repeatable read');
    return await snapshot.execute((source) =>
      writer.transaction().execute(async (target) => {
        for (const { name } of [...tables].reverse()) await target.deleteFrom(name).execute();
        const copied: CopiedTable[] = [];
        for (const table of tables) {
          // Migrations and triggers have made rows of their own.
          await target.deleteFrom(table.name).execute();
          copied.push(await copyTable(source, target, table, onRows));
          await continueNumbers(source, target, table);
        }
        // At the end, since a trigger may have written to a table after it was copied.
        for (const [i, table] of tables.entries()) compare(copied[i], await sumOf(target, table));
        return copied;
      }),
    );
  } finally {
    await Promise.all([reader.destroy(), writer.destroy()]);
  }
}

/** The tables of linod in a database that have rows. */
export async function filledTables({ db }: Store): Promise<string[]> {
  const filled: string[] = [];
  for (const { name } of await siteTables()) {
    const { rows } = await sql`select 1 from ${sql.table(name)} limit 1`.execute(db);
    if (rows.length > 0) filled.push(name);
  }
  return filled;
}

async function copyTable(
  source: Transaction<AnyTables>,
  target: Transaction<AnyTables>,
  table: SiteTable,
  onRows: OnRows,
): Promise<CopiedTable> {
  return await sumOf(source, table, async (batch, rows) => {
    onRows(table.name, rows);
    await target.insertInto(table.name).values(batch).execute();
  });
}

/** Counts rows and adds up their hashes, because the two kinds of database sort texts differently. */
async function sumOf(
  db: Transaction<AnyTables>,
  { name, columns }: SiteTable,
  onBatch?: (batch: Row[], rows: number) => Promise<void>,
): Promise<CopiedTable> {
  const most = Math.min(batchRows, Math.floor(batchParameters / columns.length));
  let [rows, sum, batch]: [number, bigint, Row[]] = [0, 0n, []];
  for await (const row of db.selectFrom(name).select(columns).stream(batchRows)) {
    const text = JSON.stringify(columns.map((column) => portable(row[column])));
    const hash = createHash('sha256').update(text).digest().readBigUInt64BE();
    sum = BigInt.asUintN(64, sum + hash);
    rows++;
    if (batch.push(row) < most) continue;
    await onBatch?.(batch, rows);
    batch = [];
  }
  if (batch.length > 0) await onBatch?.(batch, rows);
  return { table: name, rows, checksum: sum.toString(16).padStart(16, '0') };
}

function compare(wanted: CopiedTable | undefined, { table, rows, checksum }: CopiedTable): void {
  if (rows !== wanted?.rows) throw new CopyDiffersError(table, `${rows} rows instead of ${wanted?.rows}`);
  if (checksum !== wanted.checksum) throw new CopyDiffersError(table, 'its checksum is another');
}

/** PostgreSQL cannot hold the character 0. */
function portable(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\0', '\ufffd');
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

/** The next row gets the number that it would have got in the source, even if the last rows were deleted there. */
async function continueNumbers(
  source: Transaction<AnyTables>,
  target: Transaction<AnyTables>,
  { name, numbered }: SiteTable,
): Promise<void> {
  if (numbered === undefined) return;
  const last = await lastNumber(source, name, numbered);
  if (last === 0) return;
  if (dialectOf(target) === 'postgres') {
    await sql`select setval(pg_get_serial_sequence(${name}, ${numbered}), ${last}::bigint)`.execute(target);
  } else {
    await sql`delete from sqlite_sequence where name = ${name}`.execute(target);
    await sql`insert into sqlite_sequence (name, seq) values (${name}, ${last})`.execute(target);
  }
}

async function lastNumber(db: Transaction<AnyTables>, table: string, column: string): Promise<number> {
  const given =
    dialectOf(db) === 'postgres'
      ? sql<{ n: number | null }>`
          select pg_sequence_last_value(pg_get_serial_sequence(${table}, ${column})::regclass) as n`
      : sql<{ n: number | null }>`select seq as n from sqlite_sequence where name = ${table}`;
  const highest = sql<{ n: number | null }>`select max(${sql.ref(column)}) as n from ${sql.table(table)}`;
  const found = [await given.execute(db), await highest.execute(db)];
  return Math.max(...found.map(({ rows }) => Number(rows[0]?.n ?? 0)));
}
