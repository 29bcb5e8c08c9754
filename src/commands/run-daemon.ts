// Runs a worker in a terminal: its banner, its signals and its messages.

import { hidePassword } from '../base/hide-password.js';
import { version } from '../base/version.js';
import { Daemon, type StartReport } from '../daemon/daemon.js';
import type { LogSink } from '../log/sink.js';
import type { SiteConfig } from '../site/settings.js';
import { loadSite, type Site } from '../site/site.js';
import { signalExitCode } from './main.js';
import { say, styled } from './views/output.js';

export interface RunDaemonOptions {
  readonly site: Site;
  /** Settings from the command line, for reading the configuration again. */
  readonly flags: SiteConfig;
  readonly channels: readonly string[];
  readonly initiate: boolean;
}

/** After everything is closed, the process has this long to end by itself. */
const endAfterMs = 200;

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
  stopAtCrash(daemon, stop);
  try {
    await daemon.run(stop.signal, (report) => showBanner(site, report));
    say('stopped');
  } finally {
    endSoon();
  }
}

/** Abandoned runs and open handles of consumers must not keep the process alive. `main` sets the exit code. */
function endSoon(): void {
  setTimeout(() => process.exit(), endAfterMs).unref();
}

/**
 * Stops the worker after an uncaught error, such as a forgotten promise of a procedure. The state is unknown then, so
 * the worker drains and ends, and its supervisor restarts it.
 */
function stopAtCrash(daemon: Daemon, stop: AbortController): void {
  const onCrash = (error: unknown) => {
    process.exitCode = 1;
    daemon.crashed(error);
    stop.abort();
  };
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
}

/** Aborts at TERM and INT; a second one ends the process at once. */
export function listenToStop(stop: AbortController): void {
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      say(`${signal} again: ending at once`);
      process.exit(signalExitCode(signal));
    }
    say(`${signal}: stopping; repeat to end at once`);
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
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
