// `serve`: an application on the network.

import type { Application } from '../application.js';
import type { SocketReport } from './events.js';
import type { ServerOptions } from './options.js';
import { ProtocolServer } from './server.js';

/** A server that runs. */
export interface Server {
  /** Where it listens, as `listen` takes it: `127.0.0.1:8000`, `unix:/run/site.sock`. */
  readonly addresses: readonly string[];
  /** The open WebSockets. */
  sockets(): SocketReport[];
  /** Closes a WebSocket by its id; tells whether there is one. Default code 1001. */
  closeSocket(id: string, code?: number, reason?: string): boolean;
  /**
   * Stops: takes no new connections, answers requests with 503, closes sockets with 1012, and waits until the applications
   * have ended. After `graceMs` ms (default 10,000) it breaks off what is left. Another call with a shorter grace hurries it.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/**
 * Serves an application over HTTP and WebSocket.
 *
 * @throws ListenError (`CHANNELS_ERR_LISTEN`), StartupFailedError (`CHANNELS_ERR_STARTUP_FAILED`), InvalidOptionError
 * @example
 * const server = await serve(application, { listen: '127.0.0.1:8000' });
 * process.once('SIGTERM', () => server.close());
 */
export async function serve(application: Application, options: ServerOptions = {}): Promise<Server> {
  const server = new ProtocolServer(application, options);
  await server.start();
  return server;
}
