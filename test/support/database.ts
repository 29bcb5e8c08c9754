// Which kind of database the tests of a file run on.

import { join } from 'node:path';
import type { Test } from 'tap';
import { PostgresServer } from './postgres.js';

let create = async (directory: string): Promise<string> => `sqlite:${join(directory, 'linod.db')}`;

/** The URL of an empty database: a SQLite file in this directory, unless the file's tests run on PostgreSQL. */
export async function emptyDatabase(directory: string): Promise<string> {
  return await create(directory);
}

/** From now on {@link emptyDatabase} makes schemas on a server that is started here, and ended with the test. */
export async function usePostgres(t: Test): Promise<PostgresServer> {
  const server = await PostgresServer.start(t);
  create = () => server.createSchema();
  return server;
}
