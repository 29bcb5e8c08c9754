// The names of channels and groups, and the keys under which the messages of channels are kept.

import { InvalidNameError } from './errors.js';

const channelName = /^[a-zA-Z\d\-_.]+(![a-zA-Z\d\-_.]*)?$/;
const groupName = /^[a-zA-Z\d\-_.]+$/;
const maxNameLength = 99;

/**
 * Returns the name if every layer accepts it as a channel's.
 *
 * Source: docs/reference/wire.md section 8; only ASCII is accepted here.
 * @throws InvalidNameError
 */
export function checkChannelName(name: unknown): string {
  if (typeof name === 'string' && name.length <= maxNameLength && channelName.test(name)) return name;
  throw new InvalidNameError(
    'channel',
    name,
    `at most ${maxNameLength} ASCII letters, digits, "-", "_" or ".", with at most one "!"`,
  );
}

/** The same for a group's name, which has no `!`. @throws InvalidNameError */
export function checkGroupName(name: unknown): string {
  if (typeof name === 'string' && name.length <= maxNameLength && groupName.test(name)) return name;
  throw new InvalidNameError(
    'group',
    name,
    `at most ${maxNameLength} ASCII letters, digits, "-", "_" or "."`,
  );
}

/** The part of a process-specific name that its messages are filed under: up to and including the `!`. */
export function messageKey(channel: string): string {
  const bang = channel.indexOf('!');
  return bang < 0 ? channel : channel.slice(0, bang + 1);
}

/** Channels by the keys of their messages. */
export function channelsByKey(channels: Iterable<string>): Map<string, string[]> {
  const byKey = new Map<string, string[]>();
  for (const channel of channels) {
    const key = messageKey(channel);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [channel]);
    else known.push(channel);
  }
  return byKey;
}
