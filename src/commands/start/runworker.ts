// runworker and linod start: run a worker until a signal stops it.

import { Command } from 'commander';
import { version } from '../../base/version.js';
import { defaultListen } from '../../console/access/reach.js';
import type { SiteConfig } from '../../site/settings.js';
import { findSiteDirectory, loadSite } from '../../site/site.js';
import { requireOn, type SiteFlags, siteOption } from '../main.js';
import { collect, graceOverride, parseWholeNumber } from '../views/words.js';

interface WorkerFlags extends SiteFlags {
  readonly layer?: string;
  readonly initiate?: boolean;
  readonly concurrency?: string;
  readonly grace?: string;
  readonly http?: string[];
  /** True without an address. */
  readonly console?: string | true;
}

export function runworkerCommand(): Command {
  return withWorkerOptions(new Command('runworker'))
    .description('run the consumers of a site: listen on channels until TERM or INT')
    .argument('<channel...>', "the site's own channel, linod_NAME, and those of its consumers")
    .option('--initiate', 'start the coroutines at once, as initiate_linod does')
    .version(version)
    .addHelpText('after', `\nExample:\n  $ runworker linod_mysite\n${signalHelp}`)
    .action(async (channels: string[], flags: WorkerFlags) => {
      await runWorker(flags, channels, flags.initiate ?? false);
    });
}

/** linod start: a worker that starts its coroutines, for one terminal. */
export function startCommand(): Command {
  return withWorkerOptions(new Command('start'))
    .description('run a worker and start its coroutines, in one terminal')
    .addHelpText('after', `\nExample:\n  $ linod start\n${signalHelp}`)
    .action(async (flags: WorkerFlags) => {
      await runWorker(flags, null, true);
    });
}

const signalHelp = `
Signals:
  TERM, INT  stop: take no more work, wait for running jobs up to the grace; a second signal ends at once
  HUP        read the configuration and open the log file again
  TSTP       take no new work until CONT
  USR2       write what the process is doing to the log`;

function withWorkerOptions(command: Command): Command {
  return command
    .addOption(siteOption())
    .option('--layer <url>', 'the channel layer, instead of the configured one')
    .option(
      '--http <address>',
      "serve the site's application there: HOST:PORT, unix:PATH, fd:NUMBER or systemd; may be repeated",
      collect,
    )
    .option('--console [address]', 'serve the console there, by default on 127.0.0.1:8780')
    .option('--concurrency <count>', 'how many jobs run side by side, instead of the configured number')
    .option(
      '--grace <duration>',
      'how long running jobs may take when the worker stops, instead of the configured time',
    );
}

async function runWorker(flags: WorkerFlags, channels: string[] | null, initiate: boolean): Promise<void> {
  const overrides: SiteConfig = {
    ...(flags.http === undefined ? {} : { http: flags.http }),
    ...(flags.console === undefined
      ? {}
      : { console: flags.console === true ? defaultListen : flags.console }),
    ...(flags.layer === undefined ? {} : { channelLayer: flags.layer }),
    ...(flags.concurrency === undefined
      ? {}
      : { maxJobs: parseWholeNumber('--concurrency', flags.concurrency) }),
    ...graceOverride(flags.grace),
  };
  // Unlike a command, a worker of root stays root.
  const site = requireOn(await loadSite(findSiteDirectory(flags.site), { flags: overrides }));
  const { runDaemon } = await import('./run-daemon.js');
  await runDaemon({
    site,
    flags: overrides,
    channels: channels ?? [site.channel, ...Object.keys(site.settings.consumers)],
    initiate,
  });
}
