// Which database a `postgres://` URL names.

import type { ClientConfig } from 'pg';
import { parse } from 'pg-connection-string';
import { BadConfigError } from '../../errors.js';

/** A database to connect to. */
export interface Target {
  /** What `pg` is given; says nothing about time-outs. */
  readonly config: ClientConfig;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `shop at db.example.org:5432 as ann`: for messages, without the password. */
  readonly name: string;
}

/**
 * Reads a URL as `psql` does. What it leaves out comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE` and
 * `~/.pgpass`. A host that begins with a slash is the directory of a Unix socket:
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
  const place = host.startsWith('/') ? `socket ${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  const config = { ...parsed, host, port, user, database };
  return {
    config: config as ClientConfig,
    host,
    port,
    database,
    user,
    name: `${database} at ${place} as ${user}`,
  };
}

function read(url: string): ReturnType<typeof parse> {
  try {
    // `sslmode` means what it does for libpq: `require` encrypts, and only `verify-…` look at the certificate.
    return parse(url, url.includes('uselibpqcompat=') ? {} : { useLibpqCompat: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadConfigError('the settings', 'databaseUrl', `cannot be read: ${why}`, { cause: error });
  }
}
