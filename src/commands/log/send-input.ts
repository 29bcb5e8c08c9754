// What linod log send does: lines of standard input, or one text, become records of a sender.

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
  /** Where to look for the site. */
  readonly site?: string;
  /** What the log calls this process. */
  readonly name: string;
  /** The logger's name; default: that of the process. */
  readonly logger?: string;
  readonly level: LevelName;
  /** Whether a level at the beginning of a record counts more than `level`. */
  readonly detectLevel?: boolean;
}

/** After a signal, the program that writes into the pipe has so long for its last words. */
const lastWordsMs = 1000;
/** What the writer has not acknowledged then stays in the spool. */
const closeMs = 10_000;

/**
 * Sends standard input to its end, or the words as one record. Whatever is wrong with the site but that there is none, the
 * records are kept: a program at the other end of the pipe must not die of it.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`); BadConfigError (`LINOD_ERR_BAD_CONFIG`) once all is in the spool
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

/** Levels that are set meanwhile count as well: what stands before the pipe may run for days. */
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
    // A site that is turned off, or cannot be loaded, has no worker: its records wait in the spool.
    transport: site?.settings.useLinod ? layerTransport(site, levels) : undefined,
    settings: site ? senderSettings(site) : settingsWithoutSite(directory),
    clock: systemClock,
    onTrouble: (error) => {
      if (error !== undefined)
        say(`the spool cannot be written: ${error instanceof Error ? error.message : error}`);
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
  if (counts.cut > 0) say(`cut, since they were longer than 48 kB: ${counts.cut}`);
  if (counts.belowLevel > 0)
    say(`left out, since they are below the level of ${logger} (linod log level): ${counts.belowLevel}`);
}

/**
 * Reads standard input to its end. A signal, which in a terminal the program before the pipe gets as well, leaves time
 * for that one's last words; a second one ends at once, with what was read in the spool.
 */
async function sendInput(sender: LogSender, write: (record: LineRecord) => void): Promise<void> {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(signalExitCode(signal));
    stop.abort();
    setTimeout(() => process.stdin.destroy(), lastWordsMs).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  let isTold = false;
  const onWait = () => {
    if (!isTold) say('records come faster than they are written, or nobody writes them: the pipe waits');
    isTold = true;
  };
  // While the pipe waits, nothing else would keep the process.
  const hold = setInterval(() => undefined, 2 ** 30);
  try {
    await readRecords({
      input: process.stdin,
      onRecord: write,
      room: () => waitForRoom({ sender, clock: systemClock, onWait }, stop.signal),
    });
  } catch (error) {
    if (stop.signal.aborted) return;
    // What was read is sent all the same.
    say(`standard input cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = exitCodes.failed;
  } finally {
    clearInterval(hold);
  }
}
