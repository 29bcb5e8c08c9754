// linod console: the site in a browser.

import { Command } from 'commander';
import { aborted } from '../../base/aborted.js';
import { defaultListen } from '../../console/access/reach.js';
import { createLogger } from '../../log/create-logger.js';
import { loadProcedures, person, requireSite, type SiteFlags, siteOption, withStore } from '../main.js';
import { endSoon, listenToStop, stopAtCrash } from '../start/signals.js';
import { watchAlarms } from '../start/watch-alarms.js';
import { print, say } from '../views/output.js';
import { userCommand } from './user.js';

interface ConsoleFlags extends SiteFlags {
  readonly listen?: string;
}

export function consoleCommand(): Command {
  return new Command('console')
    .description('serve the console: rules, jobs, workers and the log of the site in a browser')
    .addOption(siteOption())
    .option('--listen <address>', 'HOST:PORT, PORT or unix:PATH, instead of the configured one')
    .addHelpText(
      'after',
      '\nIt prints a link that signs in once, within ten minutes.\n\nExample:\n  $ linod console --listen 127.0.0.1:8780',
    )
    .action(serveConsole)
    .addCommand(linkCommand())
    .addCommand(userCommand());
}

async function serveConsole(flags: ConsoleFlags): Promise<void> {
  const site = await requireSite(flags);
  await loadProcedures(site);
  const stop = new AbortController();
  listenToStop(stop);
  const logger = createLogger({ site: site.directory, name: 'linod.console' });
  stopAtCrash(stop, (error) => logger.critical('uncaught error; the console stops', { error }));
  const layer = await site.openLayer();
  try {
    await withStore(site, async (store) => {
      const { Console } = await import('../../console/console.js');
      const listen = flags.listen ?? (site.settings.console || defaultListen);
      const console = await Console.start({ site, store, layer, logger, listen });
      const alarms = await watchAlarms({ site, store, layer, logger: logger.child('alarms') });
      try {
        const { createLink } = await import('../../console/access/secrets.js');
        const token = await createLink(store, { name: person(), role: 'admin' });
        say(`the console of site ${site.name} is on ${console.url}; Ctrl-C to stop`);
        print(`${console.url}#token=${token}`);
        await aborted(stop.signal);
      } finally {
        await alarms.close();
        await console.close();
      }
      say('stopped');
    });
  } finally {
    await layer.close();
    await logger.close();
    endSoon();
  }
}

function linkCommand(): Command {
  return new Command('link')
    .description('print a link that signs in to a running console once, as admin, within ten minutes')
    .addOption(siteOption())
    .option('--listen <address>', 'where the console listens, instead of the configured address')
    .addHelpText('after', '\nExample:\n  $ linod console link')
    .action(async function (this: Command) {
      const flags = this.optsWithGlobals<ConsoleFlags>();
      const site = await requireSite(flags);
      const { urlOf } = await import('../../console/console.js');
      const { createLink } = await import('../../console/access/secrets.js');
      const url = urlOf(site, flags.listen ?? (site.settings.console || defaultListen));
      const token = await withStore(site, (store) => createLink(store, { name: person(), role: 'admin' }));
      print(`${url}#token=${token}`);
    });
}
