// Where a Redis server is, and how one finds out.

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';

export type { TlsOptions };

/** What the client library needs to connect. */
export type Endpoint = Pick<RedisOptions, 'host' | 'port' | 'path' | 'username' | 'password' | 'db' | 'tls'>;

/** A host of a layer: a server, or a group of servers of which one is the right one at a time. */
export interface Address {
  /** What people call it: host and port, or the socket's path; nothing secret. Only this may be printed. */
  readonly name: string;
  /** Finds where to connect now. Asked again for every connection that is made. Rejects when nobody knows. */
  locate(signal: AbortSignal): Endpoint | Promise<Endpoint>;
  /** Whether the answer may be another one when the server turns out to be the wrong one. */
  readonly moves: boolean;
}
