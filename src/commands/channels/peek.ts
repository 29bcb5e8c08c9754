// linod channels peek: messages that wait, without taking them.

import type { Command } from 'commander';
import type { Peeked } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import { parseWholeNumber } from '../numbers.js';
import { type Column, printJson, printTable, say } from '../output.js';
import { printable, shortened } from '../printable.js';
import { plainValue, roomForText } from './messages.js';
import { type LayerFlags, layerCommand, withLayer } from './with-layer.js';

interface PeekFlags extends LayerFlags {
  readonly max: string;
  readonly onLease?: boolean;
}

export function peekCommand(): Command {
  return layerCommand(
    'peek',
    'look at the next messages of a channel without taking them',
    'Example:\n  $ linod channels peek linod_mysite --max 3',
  )
    .argument('<channel>', 'a channel, or the key of a process up to its "!"')
    .option('--max <count>', 'how many messages', '10')
    .option('--on-lease', 'look at what is on lease, instead of what waits')
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

interface PeekView {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether they are on lease. */
  readonly onLease: boolean;
  /** How many characters of a message are shown; undefined for all. */
  readonly textLength: number | undefined;
}

export function peekColumns({ now, onLease, textLength }: PeekView): ReadonlyArray<Column<Peeked>> {
  const end: Column<Peeked> = {
    title: 'lease ends',
    cell: ({ leaseEndsAt }) => endText(leaseEndsAt, now),
    align: 'right',
  };
  return [
    {
      title: 'age',
      cell: ({ sentAt }) => (sentAt === undefined ? '?' : durationText(now - sentAt)),
      align: 'right',
    },
    ...(onLease ? [end] : []),
    { title: 'deliveries', cell: ({ deliveries }) => String(deliveries), align: 'right' },
    { title: 'bytes', cell: ({ bytes }) => String(bytes), align: 'right' },
    {
      title: 'message',
      cell: (peeked) => shortened(messageText(peeked), textLength),
      style: ({ message }) => (message === undefined ? 'red' : undefined),
    },
  ];
}

/** On one line, without anything that a terminal acts upon. For a process's key it begins with who it is for. */
function messageText({ message, error, channels }: Peeked): string {
  const text =
    message === undefined
      ? `cannot be read: ${error?.message ?? 'no reason known'}`
      : JSON.stringify(plainValue(message));
  const specific = channels.filter((channel) => channel.includes('!'));
  return printable(specific.length === 0 ? text : `for ${specific.join(', ')}: ${text}`);
}

function endText(leaseEndsAt: number | undefined, now: number): string {
  if (leaseEndsAt === undefined) return '?';
  return leaseEndsAt <= now ? 'now' : `in ${durationText(leaseEndsAt - now)}`;
}

export function peekedJson({ error, message, ...peeked }: Peeked): Record<string, unknown> {
  return {
    ...peeked,
    ...(message === undefined ? {} : { message: plainValue(message) }),
    ...(error === undefined ? {} : { error: error.message }),
  };
}
