// linod serve: the site's application on HTTP and WebSocket, without a worker.

import { Command } from 'commander';
import { aborted } from '../../base/aborted.js';
import { Operations } from '../../daemon/operations.js';
import { dropLog } from '../../daemon/worker-log.js';
import { SiteServer } from '../../http/site-server.js';
import { createLogger } from '../../log/create-logger.js';
import type { Site } from '../../site/site.js';
import { findSite, requireOn, type SiteFlags, siteOption } from '../main.js';
import { say } from '../views/output.js';
import { collect, graceOverride } from '../views/words.js';
import { endSoon, listenToStop, stopAtCrash } from './signals.js';
import { watchAlarmsApart } from './watch-alarms.js';

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
      `
Signals:
  TERM, INT  stop: take no new connections, wait for requests up to the grace; a second signal ends at once
  HUP        nothing: restart the server to change its settings

Example:
  $ linod serve --http 127.0.0.1:8000`,
    )
    .option(
      '--http <address>',
      'HOST:PORT, unix:PATH, fd:NUMBER or systemd, instead of the configured ones; may be repeated',
      collect,
    )
    .option(
      '--grace <duration>',
      'how long requests may take when the server stops, instead of the configured time',
    )
    .action(async (flags: ServeFlags) => {
      const { http, grace } = flags;
      const overrides = { ...(http === undefined ? {} : { http }), ...graceOverride(grace) };
      await serveSite(requireOn(await findSite(flags, overrides)));
    });
}

/** Serves until a signal or, as in a worker, an uncaught error stops it. */
async function serveSite(site: Site): Promise<void> {
  const stop = new AbortController();
  listenToStop(stop);
  const logger = createLogger({ site: site.directory, name: 'linod.http' });
  stopAtCrash(stop, (error) => logger.critical('uncaught error; the server stops', { error }));
  process.on('SIGHUP', () =>
    logger.info('SIGHUP changes nothing; restart the server to change its settings'),
  );
  const operations = new Operations({ site, log: (level, text) => logger.log(level, text) });
  stop.signal.addEventListener('abort', () => operations.stopping());
  const logDrop = dropLog(() => logger);
  const layer = await site.openLayer({
    ...operations.layerWatch,
    onDrop: (dropped) => {
      operations.layerWatch.onDrop(dropped);
      logDrop(dropped);
    },
  });
  const { http, graceSeconds } = site.settings;
  const listen = http.length > 0 ? http : ['127.0.0.1:8000'];
  const onLayerAway = (error: unknown) =>
    say(`the channel layer is away, and is waited for: ${error instanceof Error ? error.message : error}`);
  try {
    // A lifespan that never starts must not hold the process.
    const server = await Promise.race([
      SiteServer.start({
        site,
        layer,
        logger,
        listen,
        onLayerAway,
        onEvent: (event) => operations.served(event),
      }),
      aborted(stop.signal),
    ]);
    if (server !== undefined) {
      say(`serving site ${site.name} on ${server.addresses.join(', ')}; Ctrl-C to stop`);
      operations.observe({
        layer,
        touchLayer: () => server.touchLayer(),
        channels: () => [],
        sockets: () => server.sockets,
        heartbeatFails: () => false,
      });
      operations.ready();
      const alarms = watchAlarmsApart({ site, layer, logger: logger.child('alarms') });
      await aborted(stop.signal);
      await server.close(graceSeconds * 1000);
      await alarms.close();
    }
    say('stopped');
  } finally {
    await layer.close();
    await operations.close();
    await logger.close();
    endSoon();
  }
}
