// BullMQ, the queue that a Node user would take: `send` adds a job, `receive` is a worker whose processor hands the
// job's data over. It promises more than a channel layer (retries, job histories, events), and that is what it costs;
// jobs are removed when they are done, as messages are, so that Redis does not fill.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { WaitingQueue } from '../../../channels/waiting-queue.js';
import { type Transport, withoutGroups } from './transport.js';

/** The part of the package that is used. */
interface BullMq {
  readonly Queue: new (name: string, options: ConnectionOptions) => Queue;
  readonly Worker: new (
    name: string,
    process: (job: { readonly data: unknown }) => Promise<void>,
    options: ConnectionOptions & { readonly concurrency: number },
  ) => Closable;
}
interface ConnectionOptions {
  readonly connection: { readonly host: string; readonly port: number; readonly maxRetriesPerRequest: null };
  readonly prefix: string;
}
interface Closable {
  close(): Promise<void>;
}
interface Queue extends Closable {
  add(name: string, data: unknown, options: typeof jobOptions): Promise<unknown>;
  addBulk(jobs: ReadonlyArray<{ name: string; data: unknown; opts: typeof jobOptions }>): Promise<unknown[]>;
}

const jobOptions = { removeOnComplete: true, removeOnFail: true } as const;
/** With its default of one job at a time a worker could not keep up with the adding. */
const concurrency = 50;

export function bullmq(directory: string, url: string, prefix: string): Transport {
  // Through a file that does not exist: what counts is the directory, from which the package is looked for.
  const { Queue, Worker } = createRequire(join(directory, 'from.js'))('bullmq') as BullMq;
  const { hostname, port } = new URL(url);
  const options = {
    connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null },
    prefix,
  };
  const queues = new Map<string, Queue>();
  const workers = new Map<string, { readonly taken: WaitingQueue<unknown>; readonly worker: Closable }>();
  const queueOf = (channel: string) => {
    const queue = queues.get(channel) ?? new Queue(channel, options);
    queues.set(channel, queue);
    return queue;
  };
  const takenFrom = (channel: string) => {
    const known = workers.get(channel);
    if (known !== undefined) return known.taken;
    const taken = new WaitingQueue<unknown>();
    const worker = new Worker(channel, async ({ data }) => taken.put(data), { ...options, concurrency });
    workers.set(channel, { taken, worker });
    return taken;
  };
  return {
    ...withoutGroups,
    send: (channel, message) => queueOf(channel).add('message', message, jobOptions),
    async sendMany(channel, messages) {
      const jobs = messages.map((data) => ({ name: 'message', data, opts: jobOptions }));
      return (await queueOf(channel).addBulk(jobs)).map(() => ({ accepted: true }));
    },
    receive: (channel) => takenFrom(channel).take(),
    receiveMany: (channel, { max }) => takenFrom(channel).takeMany(max),
    async close() {
      await Promise.all(Array.from(workers.values(), ({ worker }) => worker.close()));
      await Promise.all(Array.from(queues.values(), (queue) => queue.close()));
    },
  };
}
