// What a peer on Node sends and receives with.

import type { BenchMessage } from './messages.js';

/** How a contestant carries messages. The methods are those of a channel layer, which is one as it stands. */
export interface Transport {
  send(channel: string, message: BenchMessage): Promise<unknown>;
  sendMany(channel: string, messages: readonly BenchMessage[]): Promise<ReadonlyArray<{ accepted: boolean }>>;
  receive(channel: string): Promise<unknown>;
  /** At least one, at most `max`. */
  receiveMany(channel: string, options: { readonly max: number }): Promise<readonly unknown[]>;
  newChannel(): Promise<string>;
  groupAdd(group: string, channel: string): Promise<void>;
  groupSend(group: string, message: BenchMessage): Promise<void>;
  close(): Promise<void>;
}

/** One that has no worker, but can wait on channels on which nothing comes. */
export interface IdleTransport {
  waitInVain(channels: readonly string[]): Promise<never>;
}

/** Which contestant, and where: what a peer on Node gets on its command line, as JSON. */
export interface TransportOptions {
  readonly kind: NodeTransport;
  /** Of Redis; not for `memory` and `sqlite`. */
  readonly url: string;
  /** What keys begin with, so that contestants on one Redis keep apart. */
  readonly prefix: string;
  /** The file of `sqlite`; that of `bareSqlite` lies beside it. */
  readonly path: string;
  /** Where the package of `bullmq` is installed. */
  readonly bullmq: string | undefined;
}

export type NodeTransport =
  | 'memory'
  | 'sqlite'
  | 'redis'
  | 'pubsub'
  | 'bare'
  | 'barePubSub'
  | 'bareSqlite'
  | 'bullmq';

/** What no contestant reaches, so that no message is refused or dropped for want of room; the same for all. */
export const capacity = 1_000_000;

/** A contestant is asked for what it has not. */
export class NotMeasuredError extends Error {}

/** The methods that stand-ins without groups have in common. */
export const withoutGroups = {
  newChannel: () => Promise.reject(new NotMeasuredError('channels of its own')),
  groupAdd: () => Promise.reject(new NotMeasuredError('groups')),
  groupSend: () => Promise.reject(new NotMeasuredError('groups')),
};
