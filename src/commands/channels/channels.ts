// linod channels: shows the channels of a layer. It needs no running worker.

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
    'show the channels of the layer: waiting messages, leases, dead letters',
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
        else printList({}, stats.channels, { columns: figureColumns, none: 'no messages on any channel' });
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
    'show the next messages of a channel without taking them',
    'Example:\n  $ linod channels peek linod_mysite --max 3',
  )
    .argument('<channel>', 'a channel, or the key of a process up to its "!"')
    .option('--max <count>', 'how many messages', '10')
    .option('--on-lease', 'show messages on lease instead of waiting ones')
    .action(
      onLayer<PeekFlags>(async (layer, flags, channel = '') => {
        const { onLease = false } = flags;
        const messages = await layer.peek(channel, { max: parseWholeNumber('--max', flags.max), onLease });
        printList(flags, messages, {
          columns: peekColumns({ now: Date.now(), onLease }),
          json: peekedJson,
          none: `no messages ${onLease ? 'on lease' : 'waiting'} on ${channel}`,
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
    .option('--type <type>', "the message's type, if the object has none")
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
    'list the groups, their members, and when each was last renewed',
    'Example:\n  $ linod channels groups linod_mysite.workers',
  )
    .argument('[group]', 'only this group')
    .action(
      onLayer(async (layer, flags, group) => {
        const groups = await layer.groups(group);
        if (flags.json) return printJson(groups, ['renewedAt']);
        const none = group === undefined ? 'no groups' : `group ${group} has no members`;
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
    'list dead letters: messages that were delivered on lease too often',
    'Example:\n  $ linod channels dead orders',
  )
    .argument('[channel]', 'only dead letters of this channel')
    .option('--max <count>', 'how many dead letters', '100')
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
    'put dead letters back on their channel, as new messages',
    `It stops when the channel is full. Exit code 1: some ids are no dead letters, or did not fit.

Example:
  $ linod channels redrive orders`,
  )
    .argument('<channel>', 'the channel that the messages were sent to')
    .argument('[id...]', 'only these ids, as "linod channels dead" shows them')
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
