// The names of channels and groups, and the keys of messages in a store.

import { InvalidNameError } from './errors.js';

const channelName = /^[a-zA-Z\d\-_.]+(![a-zA-Z\d\-_.]*)?$/;
const groupName = /^[a-zA-Z\d\-_.]+$/;
const maxNameLength = 99;

/**
 * Returns the name of a channel if every layer accepts it.
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

/** Returns the name of a group, which has no `!`, if every layer accepts it. @throws InvalidNameError */
export function checkGroupName(name: unknown): string {
  if (typeof name === 'string' && name.length <= maxNameLength && groupName.test(name)) return name;
  throw new InvalidNameError(
    'group',
    name,
    `at most ${maxNameLength} ASCII letters, digits, "-", "_" or "."`,
  );
}

/** The key of a channel's messages: for a process-specific name the part up to the `!`. */
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
