// A PostgreSQL database, for sites on several machines.
//
// Loaded only when a site uses PostgreSQL, so that others do not pay for `pg`.

import { sql } from 'kysely';
import type { Backend } from '../backend.js';
import { SiteDialect } from './dialect.js';
import { explainRights } from './failures.js';
import { NotificationListener } from './listener.js';
import { GuardedPool } from './pool.js';
import { parseTarget } from './target.js';

/** A worker uses them for its duties, its rules and its jobs' log lines; a command needs one. */
const sharedConnections = 4;
/** A job may run a query while its transaction is open. */
const ownConnections = 2;

/**
 * A database on a PostgreSQL server.
 *
 * @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, as `psql` takes it
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a URL that cannot be read
 */
export function postgresBackend(url: string): Backend {
  const target = parseTarget(url);
  return {
    isReadOnly: false,
    name: target.name,
    sharedDialect: () =>
      new SiteDialect(new GuardedPool(target, { connections: sharedConnections, timed: true }, 'daemon')),
    ownDialect: () =>
      new SiteDialect(new GuardedPool(target, { connections: ownConnections, timed: false }, 'job')),
    time: async (db) => {
      const clock = sql<{ ms: number }>`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`;
      return (await clock.execute(db)).rows[0]?.ms ?? Number.NaN;
    },
    follow: (options) => new NotificationListener(target, options),
    explain: (error) => explainRights(target, error),
  };
}
