// linod channels send: puts one message on a channel.

import { text as readAll } from 'node:stream/consumers';
import { Command } from 'commander';
import { jsonOption, siteOption } from '../main.js';
import { printJson } from '../output.js';
import { parseMessageInput } from './message-input.js';
import { type LayerFlags, layerOption, withLayer } from './with-layer.js';

interface SendFlags extends LayerFlags {
  readonly type?: string;
}

export function sendCommand(): Command {
  return new Command('send')
    .description('put a message on a channel')
    .argument('<channel>', 'the channel')
    .argument('[message]', 'a JSON object; "-" reads it from standard input', '{}')
    .option('--type <type>', "the message's type, when it does not stand in the object")
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ linod channels send orders '{"type": "order.paid", "order": 4711}'`,
    )
    .action(async (channel: string, text: string, _own: SendFlags, self: Command) => {
      const flags = self.optsWithGlobals<SendFlags>();
      const message =
        text === '-'
          ? parseMessageInput('standard input', await readAll(process.stdin), flags.type)
          : parseMessageInput('the message', text, flags.type);
      await withLayer(
        flags,
        async (layer) => {
          await layer.send(channel, message);
          if (flags.json) printJson({ channel });
        },
        { makesFile: true },
      );
    });
}
