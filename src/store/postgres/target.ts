// Parses a `postgres://` URL.

import type { ClientConfig } from 'pg';
import { parse } from 'pg-connection-string';
import { BadConfigError } from '../../base/errors.js';

/** A database to connect to. */
export interface Target {
  /** The configuration for `pg`, without timeouts. */
  readonly config: ClientConfig;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `shop at db.example.org:5432 as ann`: for messages, without the password. */
  readonly name: string;
}

/**
 * Parses a URL as `psql` does. Missing parts come from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`,
 * `PGDATABASE` and `~/.pgpass`. A host with a leading slash is the directory of a Unix socket:
 * `postgres:///shop?host=/run/postgresql`.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export function parseTarget(url: string, environment: NodeJS.ProcessEnv = process.env): Target {
  const parsed = read(url);
  const host = parsed.host || environment.PGHOST || 'localhost';
  const port = Number(parsed.port || environment.PGPORT || 5432);
  const user = parsed.user || environment.PGUSER || environment.USER || 'postgres';
  const database = parsed.database || environment.PGDATABASE || user;
  const address = host.startsWith('/') ? `socket ${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  const config = { ...parsed, host, port, user, database };
  return {
    config: config as ClientConfig,
    host,
    port,
    database,
    user,
    name: `${database} at ${address} as ${user}`,
  };
}

function read(url: string): ReturnType<typeof parse> {
  try {
    // Gives `sslmode` its libpq meaning: `require` encrypts, and only `verify-…` checks the certificate.
    return parse(url, url.includes('uselibpqcompat=') ? {} : { useLibpqCompat: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadConfigError('the settings', 'databaseUrl', `cannot be read: ${why}`, { cause: error });
  }
}
