// The options of a server, with their defaults.

import type { SecureContextOptions } from 'node:tls';
import { InvalidOptionError } from '../errors.js';
import type { ServerEvent } from './events.js';

/** The limits of a server. Times are milliseconds. */
export interface ServerLimits {
  /** The largest WebSocket message, and frame, of a client; a larger one closes with 1009. Default 1 MiB. */
  readonly maxMessageBytes: number;
  /** All headers of a request together; more is answered with 431. Default 16,384. */
  readonly maxHeaderBytes: number;
  /** How long the application may take to accept a WebSocket; then 503. Default 5 s. */
  readonly handshakeMs: number;
  /** How long a client may take to send the head of a request; then 408. Default 10 s. */
  readonly headMs: number;
  /** How long a client may take to send a whole request; then 408. Default 5 minutes. */
  readonly requestMs: number;
  /** How long a connection is kept between two requests. Default 5 s. */
  readonly idleMs: number;
  /** How long a WebSocket may stay; then it is closed with 1001. Default one day. */
  readonly lifetimeMs: number;
  /** How long a WebSocket may be silent before it is pinged. Default 20 s. */
  readonly pingMs: number;
  /** How long a pinged client may take to answer, or any client to read on. Default 30 s. */
  readonly pongMs: number;
  /** How long an application may go on after its client has left. Default 10 s. */
  readonly applicationMs: number;
  /** Connections in all. Default 10,000. */
  readonly maxConnections: number;
  /** Connections of one client address; through a trusted proxy, its requests and sockets. Default 1,000. */
  readonly maxConnectionsPerAddress: number;
  /** Messages, pings included, that one WebSocket may send in a second; more closes with 1008. Default 1,000. */
  readonly maxMessagesPerSecond: number;
  /** Bytes that wait in the consumers' queues for slow sockets, all together. Default 32 MiB. */
  readonly maxQueuedBytes: number;
}

/** The limits where none are given. */
export const defaultLimits: ServerLimits = Object.freeze({
  maxMessageBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  handshakeMs: 5_000,
  headMs: 10_000,
  requestMs: 300_000,
  idleMs: 5_000,
  lifetimeMs: 86_400_000,
  pingMs: 20_000,
  pongMs: 30_000,
  applicationMs: 10_000,
  maxConnections: 10_000,
  maxConnectionsPerAddress: 1_000,
  maxMessagesPerSecond: 1_000,
  maxQueuedBytes: 32 * 1024 * 1024,
});

/** Certificate and key of a TLS listener, as Node's `tls` takes them. */
export type TlsOptions = Pick<
  SecureContextOptions,
  'key' | 'cert' | 'ca' | 'passphrase' | 'pfx' | 'minVersion'
>;

/**
 * Where a server listens: a TCP address, a Unix socket with the permissions of its file (default 0o600), a descriptor that
 * was inherited, or every descriptor of `LISTEN_FDS`.
 */
export type ListenAddress =
  | { readonly host?: string | undefined; readonly port: number; readonly tls?: TlsOptions | undefined }
  | { readonly path: string; readonly mode?: number | undefined }
  | { readonly fd: number; readonly tls?: TlsOptions | undefined }
  | { readonly inherited: true; readonly tls?: TlsOptions | undefined };

export interface ServerOptions {
  /**
   * One address or several, each as text or as an object: `127.0.0.1:8000`, `[::1]:8000`, `8000` (on 127.0.0.1; port 0 for
   * any free one), `unix:/run/site.sock`, `fd:3`, `systemd` for `LISTEN_FDS`. Default `127.0.0.1:8000`.
   */
  readonly listen?: string | ListenAddress | ReadonlyArray<string | ListenAddress> | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /**
   * Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count: addresses, networks such as `10.0.0.0/8`, or `unix` for
   * whoever connects to a Unix socket. Default none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Whether clients may compress messages (permessage-deflate). It costs memory for each socket. Default false. */
  readonly compression?: boolean | undefined;
  /** Called with what happens, for a log. Must not throw. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** Completes the limits. @throws InvalidOptionError for an unknown one, or one that is no positive number */
export function completeLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name))
      throw new InvalidOptionError('limits', `made of ${Object.keys(defaultLimits).join(', ')}`, name);
    if (value !== undefined && !(Number.isFinite(value) && value > 0))
      throw new InvalidOptionError(`limits.${name}`, 'a number above 0', value);
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaultLimits, ...Object.fromEntries(set) };
}

/** Reads an address from text. @throws InvalidOptionError (`CHANNELS_ERR_INVALID_OPTION`) */
export function parseListenAddress(text: string): ListenAddress {
  if (text === 'systemd') return { inherited: true };
  const [, path] = /^unix:(.+)$/.exec(text) ?? [];
  if (path !== undefined) return { path };
  const [, fd] = /^fd:(\d{1,6})$/.exec(text) ?? [];
  if (fd !== undefined) return { fd: Number(fd) };
  const [, bracketed, host, port] =
    /^(?:(?:\[([\da-fA-F:.%]+)\]|([^\s:/[\]]+))?:)?(\d{1,5})$/.exec(text) ?? [];
  if (port !== undefined && Number(port) <= 65_535) return { host: bracketed ?? host, port: Number(port) };
  throw new InvalidOptionError('listen', 'HOST:PORT, PORT, unix:PATH, fd:NUMBER or systemd', text);
}
