// The protocol server of a site: its application on the addresses of its settings, with an access log.

import type { ChannelLayer } from '../../channels/index.js';
import type { Server, ServerEvent } from '../../channels/server/index.js';
import { BadConfigError } from '../base/errors.js';
import type { Logger } from '../log/logger.js';
import type { Site } from '../site/site.js';
import { addressesOf } from './listen-addresses.js';
import { SocketDirectory } from './socket-directory.js';

export interface SiteServerOptions {
  readonly site: Site;
  readonly layer: ChannelLayer;
  readonly logger: Logger;
  /** Where to listen. */
  readonly listen: readonly string[];
  /** Called with everything that happens in the server, besides the access log. Must not throw. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
  /** Called when the channel layer cannot be reached at the start. The server serves without it until it is back. */
  readonly onLayerAway: (error: unknown) => void;
}

/** Serves a site's `application`, and lists its sockets for `linod sockets`. */
export class SiteServer {
  readonly #server: Server;
  readonly #directory: SocketDirectory;

  /**
   * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a site without an application, or settings that make no sense;
   *   ListenError (`CHANNELS_ERR_LISTEN`), StartupFailedError (`CHANNELS_ERR_STARTUP_FAILED`)
   */
  static async start(options: SiteServerOptions): Promise<SiteServer> {
    const { site, layer, logger, listen, onLayerAway, onEvent } = options;
    const { application, httpLimits, httpTrustedProxies, httpCompression } = site.settings;
    if (application === null)
      throw new BadConfigError(
        site.shorten(site.configFile),
        'application',
        'there is none; see docs/guides/server.md',
      );
    const addresses = addressesOf(site, listen);
    // Only a process that serves loads ws.
    const { serve } = await import('../../channels/server/index.js');
    const server = await serve(application({ layer }), {
      listen: addresses,
      limits: httpLimits,
      trustedProxies: httpTrustedProxies,
      compression: httpCompression,
      onEvent: (event) => {
        onEvent?.(event);
        logServerEvent(logger, event);
      },
    });
    logger.info(`serving on ${server.addresses.join(', ')}`);
    return new SiteServer(server, await SocketDirectory.open({ site, layer, server, logger, onLayerAway }));
  }

  private constructor(server: Server, directory: SocketDirectory) {
    this.#server = server;
    this.#directory = directory;
  }

  get addresses(): readonly string[] {
    return this.#server.addresses;
  }

  /** How many WebSockets are open. */
  get sockets(): number {
    return this.#server.sockets().length;
  }

  /** Writes to the channel layer, to see whether that is possible. */
  async touchLayer(): Promise<void> {
    await this.#directory.renew();
  }

  /** Stops taking connections, and waits for requests and sockets up to the grace. Safe to call twice. */
  async close(graceMs: number): Promise<void> {
    await this.#server.close({ graceMs });
    await this.#directory.close();
  }
}

/** Requests and sockets are records of level INFO, whose fields a machine can read. */
function logServerEvent(logger: Logger, event: ServerEvent): void {
  switch (event.type) {
    case 'request': {
      const { type: _, ...fields } = event;
      const took = `${Math.round(event.durationMs)} ms`;
      const outcome = event.status === 0 ? 'was left by its client' : String(event.status);
      logger.info(`${event.method} ${event.path} ${outcome} in ${took}`, fields);
      return;
    }
    case 'socketOpened':
      logger.info(`WebSocket ${event.socket.path} opened`, {
        client: event.socket.client,
        id: event.socket.id,
      });
      return;
    case 'socketClosed': {
      const { socket, code, reason } = event;
      const { groups: _, ...fields } = socket;
      logger.info(`WebSocket ${socket.path} closed with ${code}`, { ...fields, code, reason });
      return;
    }
    case 'applicationFailed':
      logger.error(`the application failed at ${event.path}`, event.error);
      return;
    case 'applicationStuck':
      logger.warning(
        `the application at ${event.path} goes on ${Math.round(event.afterMs)} ms after its client left`,
      );
      return;
    case 'badMessage':
      logger.warning(`a message for ${event.path} was dropped: ${event.error.message}`);
      return;
    case 'listenerFailed':
      logger.error(`${event.address} cannot take a connection`, event.error);
      return;
    case 'lifespanFailed':
      logger.error('the application failed in its lifespan', event.error);
  }
}
