// Messages that were looked at, as a table and as JSON.

import type { Peeked } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import type { Column } from '../output.js';
import { printable, shortened } from '../printable.js';
import { plainValue } from './plain-value.js';

/** What of a row is left for the message in a terminal that does not tell its width. */
const textLength = 120;
/** What stands before it in a row, about. */
const widthBefore = 50;

export interface PeekView {
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
      cell: (peeked) => {
        const text = messageText(peeked);
        return textLength === undefined ? text : shortened(text, textLength);
      },
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

/** How many characters of a message fit into a row of the terminal; in a pipe all do. */
export function roomForText(): number | undefined {
  const { isTTY, columns } = process.stdout;
  return isTTY ? Math.max(20, columns > 0 ? columns - widthBefore : textLength) : undefined;
}
