// linod channels peek: messages that wait, without taking them.

import { Command } from 'commander';
import { jsonOption, siteOption } from '../main.js';
import { parseWholeNumber } from '../numbers.js';
import { printJson, printTable, say } from '../output.js';
import { peekColumns, peekedJson, roomForText } from './peek-view.js';
import { type LayerFlags, layerOption, withLayer } from './with-layer.js';

interface PeekFlags extends LayerFlags {
  readonly max: string;
  readonly onLease?: boolean;
}

export function peekCommand(): Command {
  return new Command('peek')
    .description('look at the next messages of a channel without taking them')
    .argument('<channel>', 'a channel, or the key of a process up to its "!"')
    .option('--max <count>', 'how many messages', '10')
    .option('--on-lease', 'look at what is on lease, instead of what waits')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod channels peek linod_mysite --max 3')
    .action(async (channel: string, _own: PeekFlags, self: Command) => {
      const flags = self.optsWithGlobals<PeekFlags>();
      const max = parseWholeNumber('--max', flags.max);
      const onLease = flags.onLease ?? false;
      await withLayer(flags, async (layer) => {
        const messages = await layer.peek(channel, { max, onLease });
        if (flags.json) return printJson(messages.map(peekedJson));
        printTable(peekColumns({ now: Date.now(), onLease, textLength: roomForText() }), messages);
        if (messages.length === 0) say(`${onLease ? 'nothing is on lease' : 'nothing waits'} on ${channel}`);
      });
    });
}
