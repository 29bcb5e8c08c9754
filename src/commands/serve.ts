// linod serve: the site's application on HTTP and WebSocket, without a worker.

import { Command } from 'commander';
import { SiteServer } from '../http/site-server.js';
import { createLogger } from '../log/create-logger.js';
import { requireSite, type SiteFlags, siteOption } from './main.js';
import { listenToStop } from './run-daemon.js';
import { say } from './views/output.js';
import { collect, parseSeconds } from './views/words.js';

interface ServeFlags extends SiteFlags {
  readonly http?: string[];
  readonly grace?: string;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description("serve the site's application on HTTP and WebSocket, without a worker")
    .addOption(siteOption())
    .addHelpText(
      'after',
      '\nTERM and INT stop it within the grace; a second one ends it at once.\n\nExample:\n  $ linod serve --http 127.0.0.1:8000',
    )
    .option(
      '--http <address>',
      'HOST:PORT, unix:PATH, fd:NUMBER or systemd, instead of the configured ones; may be repeated',
      collect,
    )
    .option('--grace <duration>', 'how long requests may take when the server is to stop')
    .action(async (flags: ServeFlags) => {
      const site = await requireSite(flags);
      const stop = new AbortController();
      listenToStop(stop);
      const logger = createLogger({ site: site.directory, name: 'linod.http' });
      const layer = await site.openLayer();
      try {
        const { http, graceSeconds } = site.settings;
        const listen = flags.http ?? (http.length > 0 ? http : ['127.0.0.1:8000']);
        const graceMs =
          (flags.grace === undefined
            ? graceSeconds
            : parseSeconds('--grace', flags.grace, { atMost: 86_400, orNone: true })) * 1000;
        const server = await SiteServer.start({ site, layer, logger, listen });
        say(`serving site ${site.name} on ${server.addresses.join(', ')}; Ctrl-C to stop`);
        // An open server keeps the process alive; a signal alone does not.
        await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
        await server.close(graceMs);
        say('stopped');
      } finally {
        await layer.close();
        await logger.close();
      }
    });
}
