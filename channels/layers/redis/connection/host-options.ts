// The options that describe a Redis server.

import type { ConnectionOptions as TlsOptions } from 'node:tls';

export type { TlsOptions };

/** A server by its options. Defaults: localhost, port 6379, database 0, no password, no TLS. */
export interface HostOptions {
  /** A URL. It overrides the other options. */
  readonly address?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** The path of a Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  readonly db?: number | undefined;
  /** An ACL user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** `true`, or Node.js's options: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`… */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Hosts and ports of Sentinels that know where the master `masterName` is. */
  readonly sentinels?: ReadonlyArray<readonly [host: string, port: number]> | undefined;
  readonly masterName?: string | undefined;
  /** Connection options for the Sentinels themselves. */
  readonly sentinelOptions?: Pick<HostOptions, 'username' | 'password' | 'tls'> | undefined;
  /** Hosts and ports of some nodes of a Redis Cluster. The layer's prefix then needs a hash tag. */
  readonly cluster?: ReadonlyArray<readonly [host: string, port: number]> | undefined;
}
