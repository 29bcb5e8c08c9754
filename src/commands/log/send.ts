// linod log send: standard input, or some words, to the log.

import { join } from 'node:path';
import { Command } from 'commander';
import { BadConfigError } from '../../errors.js';
import type { LineRecord } from '../../log/foreign/line-records.js';
import type { Thresholds } from '../../log/foreign.js';
import { levelnoOf } from '../../log/levels/level-tree.js';
import type { SiteLevels } from '../../log/levels/site-levels.js';
import { type LevelName, parseLevel } from '../../log/levels.js';
import type { LogSender } from '../../log/sender.js';
import type { Site } from '../../site.js';
import { exitCodes, type SiteFlags, siteOption, tellSwitchedOff } from '../main.js';
import { say } from '../output.js';

interface SendFlags extends SiteFlags {
  readonly name: string;
  readonly level: string;
  readonly logger?: string;
  readonly detectLevel?: boolean;
}

/** After a signal, the program that writes into the pipe has so long for its last words. */
const lastWordsMs = 1000;
/** What the writer has not acknowledged then stays in the spool. */
const closeMs = 10_000;

export function sendCommand(): Command {
  return new Command('send')
    .description(
      'send standard input to the log, a line a record; or the words that are given, as one record',
    )
    .argument('[words...]', 'the message; without it, standard input is read')
    .option('--name <name>', 'what the log calls this process', 'send')
    .option('--logger <name>', "the logger's name in the records (default: that of --name)")
    .option('--level <level>', 'DEBUG, INFO, WARNING, ERROR or CRITICAL', 'INFO')
    .option('--detect-level', 'take the level from lines that begin with one, such as "ERROR: disk full"')
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
A line that begins with a space or a tab belongs to the record before, as in a stack. A record of more than 48 kB is cut,
and bytes that are no UTF-8 are shown as \\xff. Records below the level of their logger (linod log level) are left out.

Without a worker the records wait in log/spool. The exit code is 0 when every record is in the log or in the spool.

Example:
  $ some-script 2>&1 | linod log send --name nightly --detect-level
  $ linod log send --name deploy "version 4.2 is live"`,
    )
    .action(async (words: readonly string[], _own: SendFlags, self: Command) => {
      const flags = self.optsWithGlobals<SendFlags>();
      const level = parseLevel(flags.level).value;
      const opened = await open(flags);
      try {
        await send(opened, words, { ...flags, level });
      } finally {
        await opened.close();
      }
      if (opened.problem !== undefined) throw opened.problem;
    });
}

interface Opened {
  readonly sender: LogSender;
  /** Which records are wanted, from moment to moment. */
  readonly levels: Thresholds;
  /** Why the records can only be spooled. */
  readonly problem: unknown;
  close(): Promise<void>;
}

/**
 * Whatever is wrong with the site but that there is none, the records are kept: a program at the other end of the pipe
 * must not die of it.
 */
async function open(flags: SendFlags): Promise<Opened> {
  const [
    { findSiteDirectory, loadSite },
    { LogSender },
    { SpoolTransport },
    { guardAtExit },
    { systemClock },
    { LevelTree },
    { senderTuning },
  ] = await Promise.all([
    import('../../site.js'),
    import('../../log/sender.js'),
    import('../../log/spool-transport.js'),
    import('../../log/exit-guard.js'),
    import('../../clock.js'),
    import('../../log/levels/level-tree.js'),
    import('../../log/tuning.js'),
  ]);
  const directory = findSiteDirectory(flags.site);
  let site: Site | undefined;
  let problem: unknown;
  try {
    site = await loadSite(directory);
    if (!site.settings.useLinod) tellSwitchedOff(site);
  } catch (error) {
    if (!(error instanceof BadConfigError)) throw error;
    problem = error;
  }
  const following = site && (await followLevels(site, flags.name));
  const sender = new LogSender({
    name: flags.name,
    transport: site?.settings.useLinod ? await layerTransport(site, following) : new SpoolTransport(),
    tuning: site && senderTuning(site.settings),
    spoolDirectory: site?.spoolDirectory ?? join(directory, 'log', 'spool'),
    format: site?.settings.logFormat,
    timezone: site?.settings.timezone,
    clock: systemClock,
    onTrouble: (error) => {
      if (error !== undefined)
        say(`the spool cannot be written: ${error instanceof Error ? error.message : error}`);
    },
  });
  const unguard = guardAtExit(sender);
  return {
    sender,
    levels: following?.tree ?? new LevelTree({ root: 'DEBUG' }),
    problem,
    close: async () => {
      following?.close();
      await sender.close(closeMs);
      unguard();
      const { accepted, acknowledged } = sender.progress;
      const left = accepted - acknowledged;
      if (left > 0)
        say(`${left} ${left === 1 ? 'record waits' : 'records wait'} in the spool for the logger coroutine`);
    },
  };
}

/** Levels that are set meanwhile count as well: what stands before the pipe may run for days. */
async function followLevels(site: Site, name: string): Promise<SiteLevels> {
  const [{ SiteLevels }, { configuredLevels }, { senderLabel }, { systemClock }] = await Promise.all([
    import('../../log/levels/site-levels.js'),
    import('../../site/settings.js'),
    import('../../log/names.js'),
    import('../../clock.js'),
  ]);
  const { logDirectory } = site;
  const levels = new SiteLevels({ logDirectory, clock: systemClock, label: senderLabel(name, process.pid) });
  levels.start(configuredLevels(site.settings));
  return levels;
}

async function layerTransport(site: Site, levels: SiteLevels | undefined) {
  const [{ LayerTransport }, { systemClock }] = await Promise.all([
    import('../../log/layer-transport.js'),
    import('../../clock.js'),
  ]);
  return new LayerTransport({
    open: () => site.openLayer(),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    onLevels: (overrides) => levels?.take(overrides),
  });
}

async function send(
  { sender, levels }: Opened,
  words: readonly string[],
  flags: SendFlags & { readonly level: LevelName },
): Promise<void> {
  const { loggerName } = await import('../../log/names.js');
  const logger = loggerName(flags.logger ?? flags.name);
  const counts = { belowLevel: 0, cut: 0 };
  const write = ({ text, level, isCut }: LineRecord) => {
    const own = (flags.detectLevel ? level : undefined) ?? flags.level;
    if (isCut) counts.cut++;
    if (levelnoOf(own) < levels.threshold(logger)) counts.belowLevel++;
    else sender.write(own, logger, text);
  };
  if (words.length === 0) await sendInput(sender, write);
  else await sendWords(words, write);
  if (counts.cut > 0) say(`cut, since they were longer than 48 kB: ${counts.cut}`);
  if (counts.belowLevel > 0)
    say(`left out, since they are below the level of ${logger} (linod log level): ${counts.belowLevel}`);
}

async function sendWords(words: readonly string[], write: (record: LineRecord) => void): Promise<void> {
  const { levelWord } = await import('../../log/foreign/line-records.js');
  const text = words.join(' ');
  write({ level: levelWord(text), text, isCut: false });
}

/**
 * Reads standard input to its end. A signal, which in a terminal the program before the pipe gets as well, leaves time
 * for that one's last words; a second one ends at once, with what was read in the spool.
 */
async function sendInput(sender: LogSender, write: (record: LineRecord) => void): Promise<void> {
  const [{ pipeRecords }, { waitForRoom }, { systemClock }] = await Promise.all([
    import('../../log/foreign/pipe.js'),
    import('../../log/foreign/room.js'),
    import('../../clock.js'),
  ]);
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(exitCodes.failed);
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
    await pipeRecords({
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
