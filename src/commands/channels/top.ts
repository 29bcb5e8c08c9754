// linod channels top: the channels live.

import { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { jsonOption, siteOption } from '../main.js';
import { parseWholeNumber } from '../numbers.js';
import { print, say } from '../output.js';
import { printable } from '../printable.js';
import { Screen } from '../screen.js';
import { type LookOptions, lookAgainAndAgain } from './looks.js';
import { plainLines, type Sight, screenLines, sightJson } from './top-view.js';
import { type LayerFlags, type LayerPlace, layerOption, withLayer } from './with-layer.js';

interface TopFlags extends LayerFlags {
  readonly every: string;
  readonly count?: string;
}

type Shown = Pick<LookOptions, 'show' | 'onFailed'> & { close(): void };

export function topCommand(): Command {
  return new Command('top')
    .description('the channels live, with what passes in a second; q or Ctrl-C ends it')
    .option('--every <seconds>', 'how often to look', '2')
    .option('--count <count>', 'end after so many looks')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
In a pipe it prints a table at each look, with --json a line of JSON.

Example:
  $ linod channels top --every 5`,
    )
    .action(async (_own: TopFlags, self: Command) => {
      const flags = self.optsWithGlobals<TopFlags>();
      const everyMs = parseInterval(flags.every);
      const count = flags.count === undefined ? undefined : parseWholeNumber('--count', flags.count);
      await withLayer(flags, async (layer, place) => {
        const end = new AbortController();
        const onSignal = () => end.abort();
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
        const { wallTime } = await import('../../local-time.js');
        const time = ({ stats }: Sight) => wallTime(new Date(stats.at), place.timezone).slice(11, 19);
        const isLive = process.stdout.isTTY && process.env.TERM !== 'dumb';
        const shown = flags.json
          ? onLines()
          : isLive
            ? onScreen(place, everyMs, time, onSignal)
            : inPipe(time);
        try {
          await lookAgainAndAgain({
            ...shown,
            look: () => layer.stats(),
            everyMs,
            count,
            signal: end.signal,
          });
        } finally {
          shown.close();
        }
      });
    });
}

/** The screen is taken when there is something to show, so that a layer that is away is told as by any command. */
function onScreen(
  { name }: LayerPlace,
  everyMs: number,
  time: (sight: Sight) => string,
  onEnd: () => void,
): Shown {
  let screen: Screen | undefined;
  let last: Sight | undefined;
  let problem: string | undefined;
  const draw = () => {
    if (last === undefined) return;
    screen ??= new Screen({ input: process.stdin, output: process.stdout }, onEnd, draw);
    const view = { layer: name, time: time(last), everyMs, rows: screen.rows, problem };
    screen.draw(screenLines(last, view));
  };
  return {
    show: (sight) => {
      last = sight;
      problem = undefined;
      draw();
    },
    onFailed: (error) => {
      problem = textOf(error);
      draw();
    },
    close: () => screen?.close(),
  };
}

function inPipe(time: (sight: Sight) => string): Shown {
  let wasEmpty = false;
  return {
    show: (sight) => {
      for (const line of plainLines(sight, time(sight))) print(line);
      const isEmpty = sight.channels.length === 0;
      if (isEmpty && !wasEmpty) say('no channels');
      wasEmpty = isEmpty;
    },
    onFailed: (error) => say(printable(textOf(error))),
    close: () => undefined,
  };
}

function onLines(): Shown {
  return {
    show: (sight) => print(JSON.stringify(sightJson(sight))),
    onFailed: (error) => say(printable(textOf(error))),
    close: () => undefined,
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds >= 0.1 && seconds <= 3600) return seconds * 1000;
  throw new UsageError(
    `expected --every to be a number of seconds from 0.1 to 3600, got: ${JSON.stringify(text)}`,
  );
}
