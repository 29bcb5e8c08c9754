// Where a server listens: TCP, Unix sockets, inherited descriptors, each with TLS or without.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer, type ServerOptions as HttpOptions, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ChannelsError } from '../errors.js';
import {
  type ListenAddress,
  parseListenAddress,
  type ServerLimits,
  type ServerOptions,
  type TlsOptions,
} from './options.js';

/** An address cannot be listened on: it is in use, or not allowed to this process. */
export class ListenError extends ChannelsError {
  readonly address: string;

  constructor(address: string, reason: string, options?: { cause?: unknown }) {
    super('CHANNELS_ERR_LISTEN', `cannot listen on ${address}: ${reason}`, options);
    this.address = address;
  }
}

const maxPathBytes = 107;

/** One HTTP server of Node that listens. */
export interface Listener {
  readonly http: HttpServer;
  /** As `listen` takes it, with the port that it got. */
  readonly address: string;
  /** For scopes. */
  readonly server: readonly [address: string, port: number | null] | null;
  readonly isSecure: boolean;
}

/**
 * Opens all addresses, or none.
 *
 * @param prepare called with each server before it listens
 * @throws ListenError (`CHANNELS_ERR_LISTEN`), InvalidOptionError
 */
export async function openListeners(
  listen: ServerOptions['listen'],
  limits: ServerLimits,
  prepare: (http: HttpServer, listener: () => Listener) => void,
): Promise<Listener[]> {
  const opened: Listener[] = [];
  try {
    for (const address of addressesOf(listen)) {
      const http = createHttpServer(address, limits);
      let listener: Listener | undefined;
      prepare(http, () => {
        // A connection may come before `open` returns.
        listener ??= describe(http, address);
        return listener;
      });
      await open(http, address);
      listener ??= describe(http, address);
      opened.push(listener);
    }
  } catch (error) {
    for (const { http } of opened) http.close();
    throw error;
  }
  return opened;
}

function addressesOf(listen: ServerOptions['listen'] = '127.0.0.1:8000'): ListenAddress[] {
  const list = Array.isArray(listen) ? listen : [listen];
  const addresses = list.map((each) => (typeof each === 'string' ? parseListenAddress(each) : each));
  return addresses.flatMap((address) =>
    'inherited' in address ? inheritedDescriptors(address.tls) : address,
  );
}

/**
 * The descriptors that systemd, or another program with its protocol, has opened for this process. Child
 * processes do not inherit them.
 *
 * Source: sd_listen_fds(3).
 */
function inheritedDescriptors(tls: TlsOptions | undefined): ListenAddress[] {
  const { LISTEN_FDS: count = '', LISTEN_PID: pid = String(process.pid) } = process.env;
  delete process.env.LISTEN_FDS;
  delete process.env.LISTEN_PID;
  if (!/^[1-9]\d{0,3}$/.test(count) || pid !== String(process.pid))
    throw new ListenError('systemd', `LISTEN_FDS is "${count}", for process ${pid}`);
  return Array.from({ length: Number(count) }, (_, i) => ({ fd: 3 + i, tls }));
}

function createHttpServer(address: ListenAddress, limits: ServerLimits): HttpServer {
  const options: HttpOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: Math.min(limits.headMs, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.min(1000, limits.headMs / 2),
    insecureHTTPParser: false,
    // The request handler asks for it: behind Node's refusal a second request would be answered.
    requireHostHeader: false,
  };
  const tls = 'tls' in address ? address.tls : undefined;
  const http =
    tls === undefined
      ? createServer(options)
      : createTlsServer({ ...options, ...tls, handshakeTimeout: limits.headMs });
  // Node would silently drop headers beyond a thousand. `maxHeaderSize` limits their bytes.
  http.maxHeadersCount = 0;
  return http;
}

async function open(http: HttpServer, address: ListenAddress): Promise<void> {
  const name = nameOf(address);
  if ('path' in address) {
    checkSocketPath(address.path);
    await removeStaleSocket(address.path);
  }
  try {
    http.listen('port' in address ? { host: '127.0.0.1', ...defined(address) } : address);
    await once(http, 'listening');
    if ('path' in address) await chmod(address.path, address.mode ?? 0o600);
  } catch (error) {
    http.close();
    throw new ListenError(name, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function defined({ host, port }: { host?: string | undefined; port: number }) {
  return host === undefined ? { port } : { host, port };
}

/** Linux cuts a longer path without an error, and calls a missing folder a missing permission. */
function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new ListenError(`unix:${path}`, `the path of a socket has at most ${maxPathBytes} bytes`);
  if (!existsSync(dirname(path))) throw new ListenError(`unix:${path}`, 'its folder does not exist');
}

/** A socket whose server was killed stays behind as a file, and is replaced; one that answers is not. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new ListenError(`unix:${path}`, 'there is a file of this name, which is no socket');
  const probe = connect(path);
  const isAlive = await new Promise<boolean>((resolve) => {
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  probe.destroy();
  if (isAlive) throw new ListenError(`unix:${path}`, 'a server listens on it already');
  await unlink(path);
}

function describe(http: HttpServer, given: ListenAddress): Listener {
  const isSecure = 'tls' in given && given.tls !== undefined;
  const bound = http.address();
  if (bound === null || typeof bound === 'string') {
    const path = bound ?? nameOf(given);
    return { http, address: `unix:${path}`, server: [path, null], isSecure };
  }
  const { address, port, family } = bound;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return { http, address: `${host}:${port}`, server: [address, port], isSecure };
}

function nameOf(address: ListenAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  if ('fd' in address) return `fd:${address.fd}`;
  return 'port' in address ? `${address.host ?? '127.0.0.1'}:${address.port}` : 'systemd';
}
