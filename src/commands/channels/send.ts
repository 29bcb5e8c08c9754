// linod channels send: puts one message on a channel.

import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { printJson } from '../output.js';
import { parseMessageInput } from './messages.js';
import { type LayerFlags, layerCommand, withLayer } from './with-layer.js';

interface SendFlags extends LayerFlags {
  readonly type?: string;
}

export function sendCommand(): Command {
  return layerCommand(
    'send',
    'put a message on a channel',
    `Example:\n  $ linod channels send orders '{"type": "order.paid", "order": 4711}'`,
  )
    .argument('<channel>', 'the channel')
    .argument('[message]', 'a JSON object; "-" reads it from standard input', '{}')
    .option('--type <type>', "the message's type, when it does not stand in the object")
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
