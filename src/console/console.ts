// The console: a site's API and page on the protocol server.

import { Consumer, InvalidOptionError, signedSession } from '../../channels/index.js';
import type { Server, ServerEvent } from '../../channels/server/index.js';
import { BadConfigError } from '../base/errors.js';
import { Access } from './access/access.js';
import { sessionSeconds, signingKey } from './access/secrets.js';
import { ConsoleConsumer } from './consumer.js';
import type { ConsoleContext } from './context.js';
import { Pages } from './pages.js';
import { Router } from './router.js';
import { allRoutes, streamSources } from './routes/index.js';
import type { StreamSource } from './stream.js';

export interface ConsoleOptions extends ConsoleContext {
  /** Where to listen, as the setting `http` takes it. */
  readonly listen: string;
}

export class Console {
  readonly #server: Server;
  readonly #sources: readonly StreamSource[];
  readonly #prefix: string;

  /** @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`), ListenError (`CHANNELS_ERR_LISTEN`) */
  static async start({ listen, ...context }: ConsoleOptions): Promise<Console> {
    const { site, store, logger } = context;
    const prefix = '';
    const sources = streamSources.map((source) => source(context));
    const options = {
      sources,
      context,
      access: new Access(context),
      router: new Router(allRoutes),
      pages: new Pages(prefix),
      prefix,
    };
    const application = signedSession(
      Consumer.application(() => new ConsoleConsumer(options)),
      {
        keys: [await signingKey(store)],
        cookie: `linod_console_${site.name}`,
        maxAgeSeconds: sessionSeconds,
        path: prefix === '' ? '/' : prefix,
        sameSite: 'Strict',
      },
    );
    const { serve } = await import('../../channels/server/index.js');
    try {
      const server = await serve(application, {
        listen,
        trustedProxies: site.settings.httpTrustedProxies,
        onEvent: (event) => logEvent(logger, event),
      });
      return new Console(server, sources, prefix);
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      throw new BadConfigError(site.shorten(site.configFile), 'console', error.message, { cause: error });
    }
  }

  private constructor(server: Server, sources: readonly StreamSource[], prefix: string) {
    this.#server = server;
    this.#sources = sources;
    this.#prefix = prefix;
  }

  /** Where a browser finds it: `http://127.0.0.1:8780/`. */
  get url(): string {
    return `http://${this.#server.addresses[0]}${this.#prefix}/`;
  }

  /** Waits for requests up to the grace, and ends streams. Safe to call twice. */
  async close(graceMs = 2000): Promise<void> {
    await this.#server.close({ graceMs });
    for (const source of this.#sources) await source.close();
  }
}

/** Requests are no news; the audit has the changes. */
function logEvent(logger: ConsoleContext['logger'], event: ServerEvent): void {
  if (event.type === 'applicationFailed') logger.error(`the console failed at ${event.path}`, event.error);
}
