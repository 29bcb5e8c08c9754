// linod channels: what lies on the channels of a layer. Works while no worker runs.

import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { ExitError, exitCodes, refuseUnknownCommand } from '../main.js';
import { print, printJson, printList } from '../views/output.js';
import { parseWholeNumber } from '../views/words.js';
import {
  deadColumns,
  deadJson,
  figureColumns,
  memberColumns,
  memberRows,
  parseMessageInput,
  peekColumns,
  peekedJson,
} from './views.js';
import { type LayerFlags, layerCommand, onLayer } from './with-layer.js';

export function channelsCommand(): Command {
  const command = layerCommand(
    'channels',
    'show the channels of the layer: how full they are, what is on lease, what is dead',
    'Example:\n  $ linod channels\n  $ linod channels --layer redis://localhost:6379',
  )
    .allowExcessArguments()
    .hook('preAction', (self, action) => {
      if (self === action) refuseUnknownCommand(self);
    })
    .action(
      onLayer(async (layer, flags) => {
        const stats = await layer.stats();
        if (flags.json) printJson(stats, ['at']);
        else printList({}, stats.channels, { columns: figureColumns, none: 'nothing lies on any channel' });
      }),
    );
  for (const below of [peekCommand(), sendCommand(), groupsCommand(), deadCommand(), redriveCommand()])
    command.addCommand(below);
  return command;
}

interface PeekFlags extends LayerFlags {
  readonly max: string;
  readonly onLease?: boolean;
}

function peekCommand(): Command {
  return layerCommand(
    'peek',
    'look at the next messages of a channel without taking them',
    'Example:\n  $ linod channels peek linod_mysite --max 3',
  )
    .argument('<channel>', 'a channel, or the key of a process up to its "!"')
    .option('--max <count>', 'how many messages', '10')
    .option('--on-lease', 'look at what is on lease, instead of what waits')
    .action(
      onLayer<PeekFlags>(async (layer, flags, channel = '') => {
        const { onLease = false } = flags;
        const messages = await layer.peek(channel, { max: parseWholeNumber('--max', flags.max), onLease });
        printList(flags, messages, {
          columns: peekColumns({ now: Date.now(), onLease }),
          json: peekedJson,
          none: `${onLease ? 'nothing is on lease' : 'nothing waits'} on ${channel}`,
        });
      }),
    );
}

interface SendFlags extends LayerFlags {
  readonly type?: string;
}

function sendCommand(): Command {
  return layerCommand(
    'send',
    'put a message on a channel',
    `Example:\n  $ linod channels send orders '{"type": "order.paid", "order": 4711}'`,
  )
    .argument('<channel>', 'the channel')
    .argument('[message]', 'a JSON object; "-" reads it from standard input', '{}')
    .option('--type <type>', "the message's type, when it does not stand in the object")
    .action(
      onLayer<SendFlags>(
        async (layer, flags, channel = '', text = '') => {
          const message =
            text === '-'
              ? parseMessageInput('standard input', await readAll(process.stdin), flags.type)
              : parseMessageInput('the message', text, flags.type);
          await layer.send(channel, message);
          if (flags.json) printJson({ channel });
        },
        { makesFile: true },
      ),
    );
}

function groupsCommand(): Command {
  return layerCommand(
    'groups',
    'the groups, their members, and when each was last added',
    'Example:\n  $ linod channels groups linod_mysite.workers',
  )
    .argument('[group]', 'only this one')
    .action(
      onLayer(async (layer, flags, group) => {
        const groups = await layer.groups(group);
        if (flags.json) return printJson(groups, ['renewedAt']);
        const none = group === undefined ? 'no groups' : `nobody is in group ${group}`;
        printList({}, memberRows(groups), { columns: memberColumns(Date.now()), none });
      }),
    );
}

interface DeadFlags extends LayerFlags {
  readonly max: string;
}

function deadCommand(): Command {
  return layerCommand(
    'dead',
    'list dead letters: messages that were handed out on lease too often',
    'Example:\n  $ linod channels dead orders',
  )
    .argument('[channel]', 'only those of this channel')
    .option('--max <count>', 'how many', '100')
    .action(
      onLayer<DeadFlags>(async (layer, flags, channel) => {
        const letters = await layer.deadLetters(channel, { max: parseWholeNumber('--max', flags.max) });
        printList(flags, letters, {
          columns: deadColumns(Date.now()),
          json: deadJson,
          none: `no dead letters${channel === undefined ? '' : ` of ${channel}`}`,
        });
      }),
    );
}

function redriveCommand(): Command {
  return layerCommand(
    'redrive',
    'put dead letters back on their channel, to be handled as if they had just been sent',
    'Stops at a full channel. Ends with 1 when some of the ids are no dead letters, or did not fit in.\n\nExample:\n  $ linod channels redrive orders',
  )
    .argument('<channel>', 'the channel that they were sent to')
    .argument('[id...]', 'only these, as "linod channels dead" shows them')
    .action(
      onLayer(async (layer, flags, channel = '', ...ids) => {
        const chosen = new Set(ids);
        const redriven = await layer.redrive(channel, ids.length === 0 ? undefined : [...chosen]);
        const remaining = (await layer.deadLetters(channel, { max: Number.MAX_SAFE_INTEGER })).length;
        if (flags.json) printJson({ channel, redriven, remaining });
        else print(`${redriven} redriven to ${channel}, ${remaining} still dead`);
        const wanted = ids.length === 0 ? redriven + remaining : chosen.size;
        if (redriven < wanted) throw new ExitError(exitCodes.failed);
      }),
    );
}
