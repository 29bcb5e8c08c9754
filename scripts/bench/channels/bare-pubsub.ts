// The least that a Node program can do to carry messages over PUBLISH and SUBSCRIBE: ioredis, the same bytes, a queue.

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { decode, encode } from '../../../channels/msgpack.js';
import { WaitingQueue } from '../../../channels/waiting-queue.js';
import { type Transport, withoutGroups } from './transport.js';

export function barePubSub(url: string): Transport {
  const commands = new Redis(url, { protocol: 2 });
  const subscriber = new Redis(url, { protocol: 2 });
  const queues = new Map<string, WaitingQueue<unknown>>();
  subscriber.on('messageBuffer', (name: Buffer, payload: Buffer) => {
    queues.get(name.toString())?.put(decode(payload));
  });
  const queueOf = async (channel: string) => {
    const known = queues.get(channel);
    if (known !== undefined) return known;
    const queue = new WaitingQueue<unknown>();
    queues.set(channel, queue);
    await subscriber.subscribe(channel);
    return queue;
  };
  const publish = (channel: string, message: unknown) =>
    commands.publish(channel, Buffer.from(encode(message)));
  return {
    ...withoutGroups,
    send: publish,
    async sendMany(channel, messages) {
      await Promise.all(messages.map((message) => publish(channel, message)));
      return messages.map(() => ({ accepted: true }));
    },
    async newChannel() {
      const channel = `bench:own.${randomBytes(16).toString('hex')}`;
      await queueOf(channel);
      return channel;
    },
    receive: async (channel) => (await queueOf(channel)).take(),
    receiveMany: async (channel, { max }) => (await queueOf(channel)).takeMany(max),
    async close() {
      commands.disconnect();
      subscriber.disconnect();
    },
  };
}
