// The part of BullMQ that is used, loaded from where it was installed for this run.

import { createRequire } from 'node:module';
import { join } from 'node:path';

export interface BullMq {
  readonly Queue: new (name: string, options: QueueOptions) => Queue;
  readonly Worker: new (
    name: string,
    process: (job: Job) => Promise<void>,
    options: QueueOptions & { readonly concurrency: number },
  ) => Worker;
}

export interface QueueOptions {
  readonly connection: { readonly host: string; readonly port: number; readonly maxRetriesPerRequest: null };
}

export interface Job {
  /** Of a scheduler's: `repeat:SCHEDULER:MILLISECONDS`. */
  readonly id: string;
  readonly data: { readonly at?: number };
}

export interface Queue {
  add(name: string, data: Job['data']): Promise<unknown>;
  addBulk(jobs: ReadonlyArray<{ name: string; data: Job['data'] }>): Promise<unknown[]>;
  upsertJobScheduler(id: string, repeat: { readonly pattern: string }): Promise<unknown>;
  /** Of jobs that wait or are being worked on. */
  getJobCountByTypes(...types: ReadonlyArray<'waiting' | 'active'>): Promise<number>;
  close(): Promise<void>;
}

export interface Worker {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

/** The queue of every measurement; each has a Redis of its own. */
export const queueName = 'bench';

export function loadBullMq(directory: string): BullMq {
  // Through a file that does not exist: what counts is the directory, from which the package is looked for.
  return createRequire(join(directory, 'from.js'))('bullmq') as BullMq;
}

export function queueOptions(url: string): QueueOptions {
  const { hostname, port } = new URL(url);
  return { connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null } };
}
