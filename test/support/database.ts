// Which kind of database the tests of a file run on.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openStore } from '../../src/store/store.js';
import { PostgresServer } from './postgres.js';
import { SchemaPool } from './schema-pool.js';

type Make = (t: Test, directory: string) => Promise<string>;

let make: Make = copyOfFile;

/**
 * The URL of a database without rows, with the migrations that this process knows: a SQLite file in this directory, unless
 * the file's tests run on PostgreSQL. Running all migrations takes longer than most tests, so that it is done once.
 */
export async function migratedDatabase(t: Test, directory: string): Promise<string> {
  return await make(t, directory);
}

/** From now on {@link migratedDatabase} makes schemas on a server that is started here, and ended with the test. */
export async function usePostgres(t: Test): Promise<PostgresServer> {
  const server = await PostgresServer.start(t);
  const pool = new SchemaPool(server);
  make = async (t) => await pool.take(t);
  return server;
}

let file: Buffer | undefined;

async function copyOfFile(_t: Test, directory: string): Promise<string> {
  const path = join(directory, 'linod.db');
  if (file === undefined) {
    const store = await openStore({ path });
    await store.close();
    file = readFileSync(path);
  } else {
    writeFileSync(path, file);
  }
  return `sqlite:${path}`;
}
