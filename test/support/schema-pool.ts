// Schemas of a PostgreSQL server that tests use one after the other.

import type { Test } from 'tap';
import { openStore } from '../../src/store/store.js';
import type { PostgresServer } from './postgres.js';

interface Schema {
  readonly url: string;
  readonly name: string;
  /** The tables that it has after the migrations. */
  readonly tables: readonly string[];
}

/** Gives each test a schema with all tables and without rows, as if it were new. */
export class SchemaPool {
  readonly #server: PostgresServer;
  readonly #free: Schema[] = [];

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  /** Whatever the test opens on it is to be closed by a later teardown of the test, which comes before this one. */
  async take(t: Test): Promise<string> {
    const schema = this.#free.pop() ?? (await this.#make());
    t.teardown(async () => {
      await this.#empty(schema);
      this.#free.push(schema);
    });
    return schema.url;
  }

  async #make(): Promise<Schema> {
    const url = await this.#server.createSchema();
    const store = await openStore({ url });
    await store.close();
    const name = new URL(url).searchParams.get('options')?.split('=').at(-1) ?? '';
    const rows = await this.#server.run(
      `select tablename from pg_tables where schemaname = '${name}'`,
      databaseOf(url),
    );
    return { url, name, tables: rows.map((row) => String(row.tablename)) };
  }

  /** Without the triggers, which would write a history of it. Numbers begin at one again. */
  async #empty({ url, name, tables }: Schema): Promise<void> {
    await this.#server.run(
      `set session_replication_role = replica;
      do $$ declare found record; begin
        for found in select tablename from pg_tables where schemaname = '${name}' loop
          if found.tablename = 'linod_migrations' then continue; end if;
          if found.tablename = any('{${tables.join(',')}}') then
            execute format('delete from ${name}.%I', found.tablename);
          else
            execute format('drop table ${name}.%I cascade', found.tablename);
          end if;
        end loop;
        perform setval(format('${name}.%I', sequencename)::regclass, 1, false)
          from pg_sequences where schemaname = '${name}' and last_value is not null;
      end $$`,
      databaseOf(url),
    );
  }
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}
