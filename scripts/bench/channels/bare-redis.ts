// The least that a Node program can do to carry messages over Redis in the same format: ioredis, the same script, the
// same bytes, and nothing around them. No checks, no signals, no leases, nothing after a restart. What a layer loses
// against it is the price of the layer.

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { type ScriptCommands, scripts } from '../../../channels/layers/redis/scripts.js';
import { decode, encode } from '../../../channels/msgpack.js';
import { bareGroups } from './bare-groups.js';
import type { BenchMessage } from './messages.js';
import { capacity, type IdleTransport, type Transport } from './transport.js';

const expiryMs = 60_000;
const randomPrefixLength = 12;
/** The most that a receiver of one by one takes with a read: as our layer. */
const membersPerRead = '50';

/** As our layer, which notices so a connection that has died. */
const longestWaitSeconds = 10;

/** One script a message; a read of what is there, up to a bound. */
export function bareRedis(url: string, prefix: string): Transport & IdleTransport {
  const commands = new Redis(url, { scripts, protocol: 2 }) as Redis & ScriptCommands;
  const reads = new Redis(url, { protocol: 2 });
  const ahead: unknown[] = [];
  const take = async (channel: string, max: number) => {
    const reply: unknown = await reads.callBuffer(
      ...['BZMPOP', '0', '1', prefix + channel, 'MIN', 'COUNT', String(max)],
    );
    return membersOf(reply);
  };
  const receiveMany = async (channel: string, { max }: { readonly max: number }) =>
    (await take(channel, max)).map((member) => decode(member.subarray(randomPrefixLength)));
  const groups = bareGroups({ commands, prefix, randomPrefixLength, expiryMs, take });
  return {
    ...groups,
    send: (channel, message) => commands.deliver(...delivery(prefix + channel, message)),
    async sendMany(channel, messages) {
      const pipeline = commands.pipeline() as unknown as PipelineOfScripts;
      for (const message of messages) pipeline.deliver(...delivery(prefix + channel, message));
      const replies = (await pipeline.exec()) ?? [];
      return replies.map(([error, accepted]) => ({ accepted: error === null && accepted?.[0] === 1 }));
    },
    async receive(channel) {
      if (channel.includes('!')) return groups.receive(channel);
      if (ahead.length === 0) ahead.push(...(await receiveMany(channel, { max: Number(membersPerRead) })));
      return ahead.shift();
    },
    receiveMany,
    async waitInVain(channels) {
      const keys = channels.map((channel) => prefix + channel);
      for (;;) await reads.bzpopmin(...keys, longestWaitSeconds);
    },
    async close() {
      commands.disconnect();
      reads.disconnect();
    },
  };
}

/** ioredis types a pipeline without the scripts that it was given. */
interface PipelineOfScripts {
  deliver: (...args: Parameters<ScriptCommands['deliver']>) => unknown;
  exec(): Promise<Array<[error: Error | null, accepted: number[] | undefined]> | null>;
}

/** The arguments of the script that the layer sends a message with. */
function delivery(key: string, message: BenchMessage): Parameters<ScriptCommands['deliver']> {
  const now = Date.now();
  const member = Buffer.concat([randomBytes(randomPrefixLength), encode(message)]);
  return [1, key, now / 1000, 1, capacity, (now - expiryMs) / 1000, expiryMs, member];
}

/** Of a reply of BZMPOP: a key and pairs of member and score. */
function membersOf(reply: unknown): Buffer[] {
  const [, pairs] = reply as [key: Buffer, pairs: Array<[member: Buffer, score: Buffer]>];
  return pairs.map(([member]) => member);
}
