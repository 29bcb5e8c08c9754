// The console: a site's API and page on the protocol server.

import {
  AllowedHosts,
  type Application,
  Consumer,
  InvalidOptionError,
  signedSession,
} from '../../channels/index.js';
import type { Server, ServerEvent } from '../../channels/server/index.js';
import { BadConfigError } from '../base/errors.js';
import { addressesOf } from '../http/listen-addresses.js';
import { Redaction } from '../log/redaction.js';
import type { Site } from '../site/site.js';
import { Access } from './access/access.js';
import { requireSignIn, servedHosts } from './access/reach.js';
import { sessionSeconds, signingKey } from './access/secrets.js';
import { ConsoleConsumer } from './consumer.js';
import type { ConsoleContext } from './context.js';
import { consoleOutbox } from './outbox.js';
import { Pages } from './pages.js';
import { Router } from './router.js';
import { allRoutes, streamSources } from './routes/index.js';
import type { StreamSource } from './stream.js';

export interface ConsoleOptions extends Omit<ConsoleContext, 'outbox' | 'redaction'> {
  /** Where to listen, as the setting `console` takes it. */
  readonly listen: string;
}

export class Console {
  readonly #server: Server;
  readonly #sources: readonly StreamSource[];
  /** Where a browser finds it: `http://127.0.0.1:8780/`. */
  readonly url: string;

  /** @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`), ListenError (`CHANNELS_ERR_LISTEN`) */
  static async start({ listen, ...options }: ConsoleOptions): Promise<Console> {
    const { site, store, logger } = options;
    const { httpTrustedProxies, httpLimits, redact } = site.settings;
    const context = { ...options, redaction: new Redaction(redact), outbox: consoleOutbox(store.db) };
    const sources = streamSources.map((source) => source(context));
    // Application processes that only log do without it.
    const { serve } = await import('../../channels/server/index.js');
    try {
      await requireSignIn(site, store, listen);
      const server = await serve(await applicationOf(context, listen, sources), {
        listen: addressesOf(site, [listen]),
        limits: httpLimits,
        trustedProxies: httpTrustedProxies,
        onEvent: (event) => logEvent(logger, event),
      });
      return new Console(server, sources, urlOf(site, server.addresses[0] ?? listen));
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      throw new BadConfigError(site.shorten(site.configFile), 'console', error.message, { cause: error });
    }
  }

  private constructor(server: Server, sources: readonly StreamSource[], url: string) {
    this.#server = server;
    this.#sources = sources;
    this.url = url;
  }

  /** Waits for requests up to the grace, and ends streams. Safe to call twice. */
  async close(graceMs = 2000): Promise<void> {
    await this.#server.close({ graceMs });
    for (const source of this.#sources) await source.close();
  }
}

/** The address of a site's console in a browser, when it listens there. */
export function urlOf(site: Site, listen: string): string {
  const { httpCertificate, consolePrefix } = site.settings;
  const address = /^\d+$/.test(listen) ? `127.0.0.1:${listen}` : listen;
  if (/^(unix|fd):|^systemd$/.test(address)) return `${address} ${consolePrefix}/`;
  return `${httpCertificate === '' ? 'http' : 'https'}://${address}${consolePrefix}/`;
}

async function applicationOf(
  context: ConsoleContext,
  listen: string,
  sources: readonly StreamSource[],
): Promise<Application> {
  const { site, store } = context;
  const { consolePrefix: prefix, consoleHosts } = site.settings;
  const options = {
    context,
    access: new Access(context),
    router: new Router(allRoutes),
    pages: new Pages(prefix),
    prefix,
    sources,
  };
  const application = signedSession(
    Consumer.application(() => new ConsoleConsumer(options)),
    {
      keys: [await signingKey(store)],
      // Cookies of a host are those of all its ports, where the console of another site may be.
      cookie: `linod_console_${site.name}`,
      maxAgeSeconds: sessionSeconds,
      path: prefix === '' ? '/' : prefix,
      sameSite: 'Strict',
    },
  );
  return AllowedHosts(application, servedHosts(listen, consoleHosts));
}

/** Requests are no news; the audit has the changes. */
function logEvent(logger: ConsoleContext['logger'], event: ServerEvent): void {
  switch (event.type) {
    case 'applicationFailed':
      logger.error(`the console failed at ${event.path}`, event.error);
      return;
    case 'applicationStuck':
      logger.warning(
        `the console at ${event.path} goes on ${Math.round(event.afterMs)} ms after its client left`,
      );
  }
}
