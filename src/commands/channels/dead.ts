// linod channels dead and redrive: messages that were handed out too often, and how they come to be handled after all.

import type { Command } from 'commander';
import type { DeadLetterReport } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import { ExitError, exitCodes } from '../main.js';
import { parseWholeNumber } from '../numbers.js';
import { type Column, print, printJson, printTable, say } from '../output.js';
import { printable, shortened } from '../printable.js';
import { plainValue, roomForText } from './messages.js';
import { type LayerFlags, layerCommand, withLayer } from './with-layer.js';

interface DeadFlags extends LayerFlags {
  readonly max: string;
}

export function deadCommand(): Command {
  return layerCommand(
    'dead',
    'list dead letters: messages that were handed out on lease too often',
    'Example:\n  $ linod channels dead orders',
  )
    .argument('[channel]', 'only those of this channel')
    .option('--max <count>', 'how many', '100')
    .action(async (channel: string | undefined, _own: DeadFlags, self: Command) => {
      const flags = self.optsWithGlobals<DeadFlags>();
      const max = parseWholeNumber('--max', flags.max);
      await withLayer(flags, async (layer) => {
        const letters = await layer.deadLetters(channel, { max });
        if (flags.json)
          return printJson(letters.map((letter) => ({ ...letter, message: plainValue(letter.message) })));
        printTable(deadColumns(Date.now(), roomForText()), letters);
        if (letters.length === 0) say(`no dead letters${channel === undefined ? '' : ` of ${channel}`}`);
      });
    });
}

export function redriveCommand(): Command {
  return layerCommand(
    'redrive',
    'put dead letters back on their channel, to be handled as if they had just been sent',
    'Stops at a full channel. Ends with 1 when some of the ids are no dead letters, or did not fit in.\n\nExample:\n  $ linod channels redrive orders',
  )
    .argument('<channel>', 'the channel that they were sent to')
    .argument('[id...]', 'only these, as "linod channels dead" shows them')
    .action(async (channel: string, ids: readonly string[], _own: LayerFlags, self: Command) => {
      const flags = self.optsWithGlobals<LayerFlags>();
      await withLayer(flags, async (layer) => {
        const redriven = await layer.redrive(channel, ids.length === 0 ? undefined : [...new Set(ids)]);
        const remaining = (await layer.deadLetters(channel, { max: Number.MAX_SAFE_INTEGER })).length;
        if (flags.json) printJson({ channel, redriven, remaining });
        else print(`${redriven} redriven to ${channel}, ${remaining} still dead`);
        const wanted = ids.length === 0 ? redriven + remaining : new Set(ids).size;
        if (redriven < wanted) throw new ExitError(exitCodes.failed);
      });
    });
}

function deadColumns(now: number, textLength: number | undefined): ReadonlyArray<Column<DeadLetterReport>> {
  return [
    { title: 'channel', cell: ({ channel }) => printable(channel) },
    { title: 'id', cell: ({ id }) => printable(id) },
    { title: 'died', cell: ({ diedAt }) => `${durationText(now - diedAt)} ago`, align: 'right' },
    { title: 'deliveries', cell: ({ deliveries }) => String(deliveries), align: 'right' },
    {
      title: 'message',
      cell: ({ message }) => shortened(printable(JSON.stringify(plainValue(message))), textLength),
    },
  ];
}
