// Sends lines of standard input, or one text, as records: the work of linod log send.

import { systemClock } from '../../base/clock.js';
import { BadConfigError } from '../../base/errors.js';
import type { LevelName } from '../../base/log-levels.js';
import { LevelTree, levelnoOf } from '../../log/levels/level-tree.js';
import { SiteLevels } from '../../log/levels/site-levels.js';
import { loggerName, senderLabel } from '../../log/names.js';
import { guardAtExit } from '../../log/sender/exit-guard.js';
import { LayerTransport } from '../../log/sender/layer-transport.js';
import { LogSender } from '../../log/sender/sender.js';
import { senderSettings, settingsWithoutSite } from '../../log/sender/settings.js';
import type { LogTransport } from '../../log/sender/transport.js';
import { type LineRecord, levelWord, readRecords } from '../../log/socket/lines.js';
import { waitForRoom } from '../../log/socket/room.js';
import { configuredLevels } from '../../site/settings.js';
import { findSiteDirectory, type Site } from '../../site/site.js';
import { exitCodes, loadSiteAsOwner, signalExitCode, tellSwitchedOff } from '../main.js';
import { say } from '../views/output.js';

export interface SendOptions {
  /** The directory of the site. */
  readonly site?: string;
  /** The name of this process in the log. */
  readonly name: string;
  /** The logger's name; default: that of the process. */
  readonly logger?: string;
  readonly level: LevelName;
  /** Whether a level at the beginning of a record overrides `level`. */
  readonly detectLevel?: boolean;
}

/** After a signal, the program before the pipe has this long for its last output. */
const lastWordsMs = 1000;
/** Records that are not acknowledged by then stay in the spool. */
const closeMs = 10_000;

/**
 * Sends standard input to its end, or the words as one record. A bad configuration does not lose records: they go to
 * the spool, so the program before the pipe does not fail.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`); BadConfigError (`LINOD_ERR_BAD_CONFIG`) after everything is in the spool
 */
export async function sendToLog(words: readonly string[], options: SendOptions): Promise<void> {
  const directory = findSiteDirectory(options.site);
  let site: Site | undefined;
  let problem: BadConfigError | undefined;
  try {
    site = await loadSiteAsOwner(directory);
    if (!site.settings.useLinod) tellSwitchedOff(site);
  } catch (error) {
    if (!(error instanceof BadConfigError)) throw error;
    problem = error;
  }
  const levels = site && followLevels(site, options.name);
  const sender = openSender(directory, site, levels, options.name);
  const unguard = guardAtExit(sender);
  try {
    await send(words, options, sender, levels?.tree ?? new LevelTree({ root: 'DEBUG' }));
  } finally {
    levels?.close();
    await sender.close(closeMs);
    unguard();
    const { accepted, acknowledged } = sender.progress;
    const left = accepted - acknowledged;
    if (left > 0)
      say(`${left} ${left === 1 ? 'record waits' : 'records wait'} in the spool for the logger coroutine`);
  }
  if (problem !== undefined) throw problem;
}

/** Follows changes of levels, because the program before the pipe may run for days. */
function followLevels({ logDirectory, settings }: Site, name: string): SiteLevels {
  const label = senderLabel(name, process.pid);
  const levels = new SiteLevels({ logDirectory, clock: systemClock, label });
  levels.start(configuredLevels(settings));
  return levels;
}

function openSender(
  directory: string,
  site: Site | undefined,
  levels: SiteLevels | undefined,
  name: string,
): LogSender {
  return new LogSender({
    name,
    // A site that is switched off or cannot be loaded has no worker. Its records wait in the spool.
    transport: site?.settings.useLinod ? layerTransport(site, levels) : undefined,
    settings: site ? senderSettings(site) : settingsWithoutSite(directory),
    clock: systemClock,
    onTrouble: (error) => {
      if (error !== undefined)
        say(`cannot write the spool: ${error instanceof Error ? error.message : error}`);
    },
  });
}

function layerTransport(site: Site, levels: SiteLevels | undefined): LogTransport {
  return new LayerTransport({
    open: () => site.openLayer(),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    onLevels: (overrides) => levels?.take(overrides),
  });
}

async function send(
  words: readonly string[],
  options: SendOptions,
  sender: LogSender,
  levels: LevelTree,
): Promise<void> {
  const logger = loggerName(options.logger ?? options.name);
  const counts = { belowLevel: 0, cut: 0 };
  const write = ({ text, level, isCut }: LineRecord) => {
    const own = (options.detectLevel ? level : undefined) ?? options.level;
    if (isCut) counts.cut++;
    if (levelnoOf(own) < levels.threshold(logger)) counts.belowLevel++;
    else sender.write(own, logger, text);
  };
  const text = words.join(' ');
  if (words.length === 0) await sendInput(sender, write);
  else write({ level: levelWord(text), text, isCut: false });
  if (counts.cut > 0) say(`cut, longer than 48 kB: ${counts.cut}`);
  if (counts.belowLevel > 0)
    say(`skipped, below the level of ${logger} (linod log level): ${counts.belowLevel}`);
}

/**
 * Reads standard input to its end. After a signal, the program before the pipe has time for its last output. A second
 * signal ends at once; records that were read are in the spool.
 */
async function sendInput(sender: LogSender, write: (record: LineRecord) => void): Promise<void> {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(signalExitCode(signal));
    stop.abort();
    setTimeout(() => process.stdin.destroy(), lastWordsMs).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  let hasWarned = false;
  const onWait = () => {
    if (!hasWarned) say('records come faster than they are written, or nobody writes them: the pipe waits');
    hasWarned = true;
  };
  // While the pipe waits, only this keeps the process alive.
  const hold = setInterval(() => undefined, 2 ** 30);
  try {
    await readRecords({
      input: process.stdin,
      onRecord: write,
      room: () => waitForRoom({ sender, clock: systemClock, onWait }, stop.signal),
    });
  } catch (error) {
    if (stop.signal.aborted) return;
    // Records that were read are still sent.
    say(`cannot read standard input: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = exitCodes.failed;
  } finally {
    clearInterval(hold);
  }
}
