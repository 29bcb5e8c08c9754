// The least that a Node program can do to send to a group and to receive on its channels: the layer's script with bytes that
// were made once, one read for all channels of a process, and a copy for each of those who wait. It takes for granted that
// all members are in one process, which stays the same.

import { randomBytes } from 'node:crypto';
import { messageKey, reservedKey } from '../../../channels/layer.js';
import type { Client } from '../../../channels/layers/redis/connection.js';
import { decode, encode } from '../../../channels/msgpack.js';
import type { BenchMessage } from './messages.js';
import { capacity, type Transport } from './transport.js';

export interface BareGroupsOptions {
  readonly commands: Client;
  /** What keys begin with. */
  readonly prefix: string;
  readonly randomPrefixLength: number;
  readonly expiryMs: number;
  /** Takes what is under a key. */
  readonly take: (channel: string, max: number) => Promise<readonly Buffer[]>;
}

const groupExpiryMs = 86_400_000;
/** The most that is taken with a read: as our layer. */
const membersPerRead = 100;

type Groups = Pick<Transport, 'newChannel' | 'groupAdd' | 'groupSend'> & {
  /** Waits for the next message of a channel that `newChannel` has named. */
  receive(channel: string): Promise<unknown>;
};

export function bareGroups({
  commands,
  prefix,
  randomPrefixLength,
  expiryMs,
  take,
}: BareGroupsOptions): Groups {
  const own = `specific.${randomBytes(16).toString('hex')}!`;
  const waiting = new Map<string, (message: unknown) => void>();
  const ahead = new Map<string, unknown[]>();
  const processes = new Map<string, string>();
  let isReading = false;
  let lastMessage: BenchMessage | undefined;
  let beginning: Uint8Array = new Uint8Array();

  const groupKey = (group: string) => `${prefix}:group:${group}`;
  const processOf = async (group: string) => {
    const known = processes.get(group);
    if (known !== undefined) return known;
    const [first = ''] = await commands.zrange(groupKey(group), 0, '0');
    processes.set(group, messageKey(first));
    return messageKey(first);
  };
  /** Redis writes the names after it. */
  const beginningOf = (message: BenchMessage) => {
    if (message !== lastMessage) beginning = encode({ ...message, [reservedKey]: null }).subarray(0, -1);
    lastMessage = message;
    return Buffer.concat([randomBytes(randomPrefixLength), beginning]);
  };
  const readWhileWanted = async () => {
    isReading = true;
    while (waiting.size > 0)
      for (const member of await take(own, membersPerRead)) {
        const { [reservedKey]: channels, ...message } = decode(
          member.subarray(randomPrefixLength),
        ) as BenchMessage & { readonly [reservedKey]: readonly string[] };
        for (const channel of channels) {
          const resolve = waiting.get(channel);
          waiting.delete(channel);
          if (resolve !== undefined) resolve({ ...message });
          else ahead.set(channel, [...(ahead.get(channel) ?? []), { ...message }]);
        }
      }
    isReading = false;
  };

  return {
    newChannel: async () => own + randomBytes(16).toString('hex'),
    async groupAdd(group, channel) {
      await commands.groupAdd(1, groupKey(group), Date.now() / 1000, groupExpiryMs, channel);
    },
    async groupSend(group, message) {
      const key = prefix + (await processOf(group));
      const now = Date.now();
      await commands.deliverToGroup(
        ...[2, groupKey(group), key, (now - groupExpiryMs) / 1000, '', prefix],
        ...[now / 1000, 1, capacity, (now - expiryMs) / 1000, expiryMs, beginningOf(message)],
      );
    },
    receive(channel) {
      const next = ahead.get(channel)?.shift();
      if (next !== undefined) return Promise.resolve(next);
      return new Promise((resolve) => {
        waiting.set(channel, resolve);
        if (!isReading) void readWhileWanted();
      });
    },
  };
}
