// BullMQ for one measurement: a Redis of its own, a queue here, and a worker in a process of its own.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ioredisVersion } from '../shared/machine.js';
import { Program } from '../shared/program.js';
import { RedisServer } from '../shared/redis-server.js';
import { loadBullMq, type Queue, queueName, queueOptions } from './bullmq-package.js';
import { type Call, callsVariable, readCalls } from './calls.js';
import type { Context } from './context.js';

const program = fileURLToPath(new URL('bullmq-worker.js', import.meta.url));

export class BenchQueue {
  readonly queue: Queue;
  readonly redis: RedisServer;
  readonly #package: string;
  readonly #calls: string;

  private constructor(queue: Queue, redis: RedisServer, directory: string, calls: string) {
    this.queue = queue;
    this.redis = redis;
    this.#package = directory;
    this.#calls = calls;
  }

  /** @param installed where BullMQ is */
  static async make(installed: string, { directory, versions }: Context): Promise<BenchQueue> {
    const redis = await RedisServer.start();
    versions.add(`Redis ${redis.version}`).add(`ioredis ${ioredisVersion}`);
    const queue = new (loadBullMq(installed).Queue)(queueName, queueOptions(redis.url));
    return new BenchQueue(queue, redis, installed, join(directory, 'bullmq-calls.json'));
  }

  async startWorker(concurrency: number): Promise<Program> {
    return await Program.start({
      name: 'BullMQ',
      command: process.execPath,
      args: [program, this.#package, this.redis.url, String(concurrency)],
      directory: this.#package,
      environment: { [callsVariable]: this.#calls },
      ready: /^ready$/,
    });
  }

  /** What the last worker noted down; it must have ended. */
  async calls(): Promise<Call[]> {
    return await readCalls(this.#calls);
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.redis.close();
  }
}
