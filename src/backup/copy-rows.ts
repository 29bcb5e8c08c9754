// Copies the rows of a site from one database into another of any kind, and compares both.

import { createHash } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import { dialectOf } from '../store/dialect.js';
import type { AnyTables } from '../store/migrate.js';
import { CopyDiffersError } from './errors.js';
import type { SiteTable } from './site-tables.js';

export interface CopyOptions {
  readonly from: Kysely<AnyTables>;
  /** Migrated to the same version. What its tables hold is replaced. */
  readonly to: Kysely<AnyTables>;
  readonly tables: readonly SiteTable[];
  /** Called after every table, and every some thousand rows. */
  readonly onProgress?: ((table: string, rows: number) => void) | undefined;
}

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
  /** The same for the same rows in any order. */
  readonly checksum: string;
}

type Row = Record<string, unknown>;

const batchRows = 500;
/** SQLite takes 32,766 parameters a statement, and PostgreSQL 65,535. */
const batchParameters = 30_000;
const progressRows = 10_000;

/**
 * Copies all rows as they are at one moment, in one transaction. Reading PostgreSQL blocks nobody; a SQLite
 * source is locked meanwhile, so that nothing is written to it after it was copied.
 *
 * @throws CopyDiffersError (`LINOD_ERR_COPY_DIFFERS`) when the target does not hold what the source held
 */
export async function copyRows({ from, to, tables, onProgress }: CopyOptions): Promise<CopiedTable[]> {
  const snapshot = from.transaction().setIsolationLevel('repeatable read');
  return await snapshot.execute((source) =>
    to.transaction().execute(async (target) => {
      // Migrations and triggers have made rows of their own.
      for (const { name } of [...tables].reverse()) await target.deleteFrom(name).execute();
      const copied: CopiedTable[] = [];
      for (const table of tables) {
        await target.deleteFrom(table.name).execute();
        const sum = await copyTable(source, target, table, (rows) => onProgress?.(table.name, rows));
        await continueNumbers(source, target, table);
        compare(table.name, sum, await sumOf(target, table));
        copied.push({ table: table.name, rows: sum.rows, checksum: sum.checksum });
      }
      // A trigger may have written to a table after it was copied.
      for (const { table, rows } of copied) {
        const now = await countRows(target, table);
        if (now !== rows) throw new CopyDiffersError(table, `${now} rows instead of ${rows}`);
      }
      return copied;
    }),
  );
}

/** The tables of a database that have rows. */
export async function filledTables(db: Kysely<AnyTables>, tables: readonly SiteTable[]): Promise<string[]> {
  const filled: string[] = [];
  for (const { name } of tables) if ((await countRows(db, name)) > 0) filled.push(name);
  return filled;
}

async function countRows(db: Kysely<AnyTables>, table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db);
  return Number(rows[0]?.n);
}

async function copyTable(
  source: Transaction<AnyTables>,
  target: Transaction<AnyTables>,
  table: SiteTable,
  onRows: (rows: number) => void,
): Promise<Sum> {
  const sum = new Sum(table);
  const most = Math.min(batchRows, Math.floor(batchParameters / table.columns.length));
  let batch: Row[] = [];
  const write = async () => {
    if (batch.length > 0) await target.insertInto(table.name).values(batch).execute();
    batch = [];
  };
  for await (const row of source.selectFrom(table.name).select(table.columns).stream(batchRows)) {
    batch.push(row);
    sum.add(row);
    if (batch.length === most) await write();
    if (sum.rows % progressRows === 0) onRows(sum.rows);
  }
  await write();
  onRows(sum.rows);
  return sum;
}

async function sumOf(db: Transaction<AnyTables>, table: SiteTable): Promise<Sum> {
  const sum = new Sum(table);
  for await (const row of db.selectFrom(table.name).select(table.columns).stream(batchRows)) sum.add(row);
  return sum;
}

function compare(table: string, wanted: Sum, found: Sum): void {
  if (found.rows !== wanted.rows)
    throw new CopyDiffersError(table, `${found.rows} rows instead of ${wanted.rows}`);
  if (found.checksum !== wanted.checksum) throw new CopyDiffersError(table, 'its checksum is another');
}

/** Counts rows and adds up their hashes, because the two kinds of database sort texts differently. */
class Sum {
  rows = 0;
  readonly #columns: readonly string[];
  #sum = 0n;

  constructor({ columns }: SiteTable) {
    this.#columns = columns;
  }

  get checksum(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }

  add(row: Row): void {
    const text = JSON.stringify(this.#columns.map((column) => portable(row[column])));
    const hash = createHash('sha256').update(text).digest().readBigUInt64BE();
    this.#sum = BigInt.asUintN(64, this.#sum + hash);
    this.rows++;
  }
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
