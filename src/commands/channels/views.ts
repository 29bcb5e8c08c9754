// Shows channels, messages and groups, and parses a message of the command line.

import type {
  ChannelFigures,
  DeadLetterReport,
  GroupReport,
  Message,
  Peeked,
} from '../../../channels/index.js';
import { durationText } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';
import { parseJson } from '../../base/parse-json.js';
import { messageText, plainValue } from '../../insight/channel-messages.js';
import { printable } from '../../log/format/unsafe.js';
import type { Column } from '../views/output.js';

const nearlyFull = 0.8;

export const figureColumns: ReadonlyArray<Column<ChannelFigures>> = [
  { title: 'channel', cell: ({ channel }) => printable(channel) },
  { title: 'depth', cell: ({ depth }) => String(depth), align: 'right', style: depthStyle },
  {
    title: 'fill',
    cell: ({ depth, capacity }) => `${percent(depth, capacity)} of ${capacity}`,
    align: 'right',
    style: depthStyle,
  },
  { title: 'oldest', cell: oldestText, align: 'right' },
  { title: 'on lease', cell: ({ onLease }) => String(onLease), align: 'right' },
  {
    title: 'dead',
    cell: ({ dead }) => String(dead),
    align: 'right',
    style: ({ dead }) => (dead > 0 ? 'yellow' : undefined),
  },
];

function percent(depth: number, capacity: number): string {
  return `${Math.round((100 * depth) / capacity)} %`;
}

function depthStyle({ depth, capacity }: ChannelFigures): 'red' | 'yellow' | undefined {
  if (depth >= capacity) return 'red';
  return depth >= nearlyFull * capacity ? 'yellow' : undefined;
}

function oldestText({ depth, oldestAgeMs }: ChannelFigures): string {
  if (depth === 0) return '-';
  return oldestAgeMs === undefined ? '?' : durationText(oldestAgeMs);
}

interface PeekView {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether the messages are on lease. */
  readonly onLease: boolean;
}

export function peekColumns({ now, onLease }: PeekView): ReadonlyArray<Column<Peeked>> {
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
      cell: (peeked) => printable(messageText(peeked)),
      style: ({ message }) => (message === undefined ? 'red' : undefined),
    },
  ];
}

function endText(leaseEndsAt: number | undefined, now: number): string {
  if (leaseEndsAt === undefined) return '?';
  return leaseEndsAt <= now ? 'now' : `in ${durationText(leaseEndsAt - now)}`;
}

export function peekedJson({ error, message, ...peeked }: Peeked): Record<string, unknown> {
  return {
    ...withDates(peeked),
    ...(message === undefined ? {} : { message: plainValue(message) }),
    ...(error === undefined ? {} : { error: error.message }),
  };
}

export function deadJson({ message, ...letter }: DeadLetterReport): Record<string, unknown> {
  return { ...withDates(letter), message: plainValue(message) };
}

/** Only the outer fields are dates; numbers in a message stay. */
function withDates(shown: object): Record<string, unknown> {
  const date = (value: unknown) => (typeof value === 'number' ? new Date(value) : value);
  const entries = Object.entries(shown);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name.endsWith('At') ? date(value) : value]),
  );
}

interface MemberRow {
  readonly group: string;
  readonly channel: string;
  readonly renewedAt: number | undefined;
}

export function memberRows(groups: readonly GroupReport[]): MemberRow[] {
  return groups.flatMap(({ group, members }) =>
    members.map(({ channel, renewedAt }) => ({ group, channel, renewedAt })),
  );
}

/** @param now ms since 1970 */
export function memberColumns(now: number): ReadonlyArray<Column<MemberRow>> {
  return [
    { title: 'group', cell: ({ group }) => printable(group) },
    { title: 'member', cell: ({ channel }) => printable(channel) },
    {
      title: 'last renewed',
      cell: ({ renewedAt }) =>
        renewedAt === undefined ? 'not known' : `${durationText(now - renewedAt)} ago`,
    },
  ];
}

export function deadColumns(now: number): ReadonlyArray<Column<DeadLetterReport>> {
  return [
    { title: 'channel', cell: ({ channel }) => printable(channel) },
    { title: 'id', cell: ({ id }) => printable(id), least: Number.POSITIVE_INFINITY },
    { title: 'died', cell: ({ diedAt }) => `${durationText(now - diedAt)} ago`, align: 'right' },
    { title: 'deliveries', cell: ({ deliveries }) => String(deliveries), align: 'right' },
    {
      title: 'message',
      cell: ({ message }) => printable(JSON.stringify(plainValue(message))),
    },
  ];
}

/**
 * Makes a message of a JSON object; adds the type if the object has none.
 *
 * @param source the name of the text in errors: `the message`, `standard input`
 * @throws UsageError (`LINOD_ERR_USAGE`), with the line of invalid JSON
 */
export function parseMessageInput(source: string, text: string, type: string | undefined): Message {
  const found = parseJson(source, text);
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw new UsageError(`expected ${source} to be a JSON object, got: ${kind(found)}`);
  const message: Record<string, unknown> = { ...found };
  if (type !== undefined && message.type !== undefined && message.type !== type)
    throw new UsageError(
      `${source} has the type ${JSON.stringify(message.type)}, and --type says ${JSON.stringify(type)}`,
    );
  const given = message.type ?? type;
  if (typeof given !== 'string' || given === '')
    throw new UsageError(
      `expected ${source} to have a type that is text, such as {"type": "worker.ping"}; or give it with --type`,
    );
  return { ...message, type: given };
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
