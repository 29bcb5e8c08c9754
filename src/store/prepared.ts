// Queries that are asked again and again. What Kysely needs to put one together and to compile it costs more than SQLite needs
// to answer it.

import {
  type Compilable,
  type CompiledQuery,
  type Kysely,
  type QueryExecutorProvider,
  type QueryResult,
  type RawBuilder,
  sql,
} from 'kysely';
import { type DialectName, dialectOf } from './dialect.js';
import type { Database } from './schema.js';

type Value = string | number | null;

/** Stands in a compiled query where a value belongs. */
class Place {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A query of Kysely's builder, or one in SQL. */
type Makable<R> = Compilable<R> | { compile(db: QueryExecutorProvider): CompiledQuery<R> };

/** What stands for a value of the query in its making. */
export type Placeholder<P> = <K extends keyof P & string>(name: K) => RawBuilder<P[K]>;

/**
 * A number of rows at most, from a value. SQLite would plan the query anew, at ten times its cost, whenever a number is given
 * where it can see that it is one, as after a bare `limit`; and also where a value is compared of which an index has just
 * the rows with one certain value. There the query has the value itself: `sql.lit('running')`.
 *
 * Source: SQLite, sqlite3VdbeSetVarmask in src/vdbeapi.c, and its calls
 */
export function limitOf(value: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`cast(${value} as bigint)`;
}

/**
 * A query that is made and compiled once for each kind of database, and then asked with other values.
 *
 * @example
 * const due = new PreparedQuery<{ by: number }, { id: number }>((db, value) =>
 *   db.selectFrom('job_rules').select('id').where('next_due_at', '<=', value('by')),
 * );
 * const rows = await due.rows(store.db, { by: Date.now() });
 */
export class PreparedQuery<P extends Readonly<Record<string, Value>>, R> {
  readonly #make: (db: Kysely<Database>, value: Placeholder<P>) => Makable<R>;
  readonly #compiled = new Map<DialectName, CompiledQuery<R>>();

  constructor(make: (db: Kysely<Database>, value: Placeholder<P>) => Makable<R>) {
    this.#make = make;
  }

  /** @param db a Kysely or a transaction */
  async rows(db: Kysely<Database>, values: P): Promise<R[]> {
    return (await this.#ask(db, values)).rows;
  }

  /** @returns how many rows it has written */
  async run(db: Kysely<Database>, values: P): Promise<number> {
    return Number((await this.#ask(db, values)).numAffectedRows ?? 0n);
  }

  #ask(db: Kysely<Database>, values: P): Promise<QueryResult<R>> {
    const compiled = this.#compile(db);
    const parameters = compiled.parameters.map((value) =>
      value instanceof Place ? values[value.name] : value,
    );
    return db.executeQuery<R>({ ...compiled, parameters });
  }

  #compile(db: Kysely<Database>): CompiledQuery<R> {
    const dialect = dialectOf(db);
    let compiled = this.#compiled.get(dialect);
    if (compiled === undefined) {
      compiled = this.#make(db, (name) => sql`${new Place(name)}`).compile(db);
      this.#compiled.set(dialect, compiled);
    }
    return compiled;
  }
}
