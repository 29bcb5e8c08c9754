// Runs a worker in a terminal: its banner, its signals and its messages.

import { hidePassword } from '../../base/hide-password.js';
import { version } from '../../base/version.js';
import { Daemon, type StartReport } from '../../daemon/daemon.js';
import type { LogSink } from '../../log/sink.js';
import type { SiteConfig } from '../../site/settings.js';
import { loadSite, type Site } from '../../site/site.js';
import { say, styled } from '../views/output.js';
import { endSoon, listenToStop, stopAtCrash } from './signals.js';

export interface RunDaemonOptions {
  readonly site: Site;
  /** Settings from the command line, for reading the configuration again. */
  readonly flags: SiteConfig;
  readonly channels: readonly string[];
  readonly initiate: boolean;
}

/** Runs a worker until a signal stops it. */
export async function runDaemon({ site, flags, channels, initiate }: RunDaemonOptions): Promise<void> {
  const stop = new AbortController();
  // Before anything is opened, because a signal may come during the start.
  listenToStop(stop);
  // Waiting for a database keeps no process alive, and nothing listens yet.
  const alive = setInterval(() => undefined, 60_000);
  const options = { site, channels, initiate, terminal: terminalSink() };
  const daemon = await Daemon.open(options, stop.signal).finally(() => clearInterval(alive));
  if (daemon === null) return say('stopped');
  listenToOthers(daemon, site, flags);
  stopAtCrash(stop, (error) => daemon.crashed(error));
  try {
    await daemon.run(stop.signal, (report) => showBanner(site, report));
    say('stopped');
  } finally {
    endSoon();
  }
}

function listenToOthers(daemon: Daemon, site: Site, flags: SiteConfig): void {
  process.on('SIGHUP', () => {
    loadSite(site.directory, { flags, anew: true })
      .then((read) => daemon.reload(read.settings))
      .catch((error: unknown) => daemon.reloadFailed(error));
  });
  process.on('SIGTSTP', () => daemon.pause());
  process.on('SIGCONT', () => daemon.resume());
  process.on('SIGUSR2', () => daemon.dump());
}

/** Prints the records of the worker itself; all others are only in lino.log. */
function terminalSink(): LogSink {
  const colours = { WARNING: 'yellow', ERROR: 'red', CRITICAL: 'red' } as const;
  return {
    write(level, _logger, message, _fields, trace) {
      if (level === 'DEBUG') return;
      const text = trace === undefined ? message : `${message}\n${trace}`;
      say(level === 'INFO' ? text : styled(colours[level], `${level} ${text}`, process.stderr));
    },
  };
}

function showBanner(site: Site, report: StartReport): void {
  const { settings } = site;
  const layer = [settings.channelLayer].flat().map(hidePassword).join(', ');
  const { created, removed, reactivated } = report.sync;
  const changes = Object.entries({ created, removed, reactivated })
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => `${names.length} ${kind}`);
  const rows: Array<[string, string]> = [
    ['configuration', site.configFile],
    ['channel layer', report.layerAnswers ? layer : `${layer}: no answer yet; the worker waits for it`],
    ['database', hidePassword(settings.databaseUrl)],
    ['log', site.logFile],
    ['time zone', `${settings.timezone}${site.hasZone ? '' : ', as no timezone is set'}`],
    ['channels', report.channels.join(', ')],
    ['rules', [String(report.rules), ...changes].join(', ')],
    [
      'started',
      report.started.length > 0 ? report.started.join(', ') : 'nothing yet: waiting for initiate_linod',
    ],
  ];
  say(styled('bold', `linod ${version}, site ${site.name}`, process.stderr));
  for (const [title, text] of rows) say(`  ${title.padEnd(14)} ${text}`);
  say(`worker ${report.workerId} is listening; Ctrl-C to stop`);
}
