// linod channels trace: what became of one message.

import { Command } from 'commander';
import { ExitError, exitCodes, jsonOption, siteOption } from '../main.js';
import { print, printJson, say } from '../output.js';
import { peekedJson } from './peek-view.js';
import { isKnown, silenceLines, traceLines, unknownLine } from './trace-view.js';
import { type LayerFlags, layerOption, withLayer } from './with-layer.js';

export function traceCommand(): Command {
  return new Command('trace')
    .description('what became of one message: sent, received, handled, by whom and when')
    .argument('<id>', 'its id, as send and peek print it')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Asks the processes that run now; each remembers its last few thousand events. Ends with 1 when nothing is known.

Example:
  $ linod channels trace 5f0c3a9be2d71846`,
    )
    .action(async (id: string, _own: LayerFlags, self: Command) => {
      const flags = self.optsWithGlobals<LayerFlags>();
      await withLayer(flags, async (layer, { timezone }) => {
        const { localTime } = await import('../../local-time.js');
        const trace = await layer.trace(id);
        if (flags.json) printJson({ ...trace, ...(trace.waiting && { waiting: peekedJson(trace.waiting) }) });
        else if (isKnown(trace)) {
          const view = { now: Date.now(), localTime: (instant: Date) => localTime(instant, timezone) };
          for (const line of traceLines(trace, view)) print(line);
        }
        for (const line of silenceLines(trace)) say(line);
        if (isKnown(trace)) return;
        say(unknownLine(id));
        throw new ExitError(exitCodes.failed);
      });
    });
}
