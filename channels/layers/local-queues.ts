// The process-specific channels of one layer object, which every layer has in common.
//
// On the medium (a table, a sorted set) all messages for one process lie under one key, `specific.CLIENT!`. While
// somebody waits on one of the process's channels, one reader takes them from there and hands each to the local
// channels it names. While nobody waits, nothing is taken: the messages stay where the sender's capacity counts.

import { randomBytes } from 'node:crypto';
import type { Received } from '../application.js';
import { checkChannelName, messageKey } from '../channel-name.js';
import { copyOf } from '../codec/message-copy.js';
import { ForeignChannelError, LayerClosedError } from '../errors.js';
import type { DroppedMessage } from '../layer.js';
import { WaitingQueue } from '../waiting/waiting-queue.js';

/** So many messages are taken at once at most. */
const messagesPerTake = 100;

/** A message that was taken from under a process key. */
export interface ProcessMessage {
  /** The full names of the local channels it is for. */
  readonly channels: readonly string[];
  /** Makes the message anew; called for each of the channels, so that none sees another's changes. */
  read(): Received;
}

/** A message that was read once: where it is for several channels, each gets a copy. */
export function processMessage(channels: readonly string[], message: Received): ProcessMessage {
  return { channels, read: () => (channels.length === 1 ? message : copyOf(message)) };
}

export interface LocalQueuesOptions {
  /** How many messages a local channel keeps while nobody receives on it; beyond it the oldest is dropped. */
  readonly capacity: (channel: string) => number;
  /** Milliseconds for which they are kept. */
  readonly expiryMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onDrop?: ((dropped: DroppedMessage) => void) | undefined;
  /**
   * Takes the next messages from under a process key, at most so many as are wanted, waiting until there is at least
   * one. Called by one reader a key at a time. When the signal is aborted (nobody waits any more) it rejects or, having
   * taken something, resolves with it: nothing is lost either way. Any other rejection is passed to all who wait on
   * that key.
   */
  readonly take: (key: string, wanted: number, signal: AbortSignal) => Promise<readonly ProcessMessage[]>;
}

/** Names the channels that only this layer object receives on, and hands their messages out. */
export class LocalQueues {
  /** 32 hex digits, other ones for each layer object. */
  readonly clientId: string = randomHex();
  readonly #options: LocalQueuesOptions;
  readonly #channels = new Map<string, LocalChannel>();
  /** By key, where messages are taken from. */
  readonly #readers = new Map<string, Reader>();
  #nextSweepAt: number;
  #isClosed = false;

  constructor(options: LocalQueuesOptions) {
    this.#options = options;
    this.#nextSweepAt = options.now() + options.expiryMs;
  }

  /** Makes a new name: `specific.CLIENT!LOCAL`. @throws InvalidNameError when the prefix makes it no valid one */
  newChannel(prefix = 'specific'): string {
    return checkChannelName(`${prefix}.${this.clientId}!${randomHex()}`);
  }

  /**
   * Waits for messages of a process-specific channel: as many as there are for it, at most `max`.
   *
   * @throws ForeignChannelError when another layer object made the channel; LayerClosedError after `close`; the
   *   signal's reason
   */
  async receiveMany(channel: string, max: number, signal?: AbortSignal): Promise<Received[]> {
    const known = this.#channels.get(channel);
    if (known === undefined && !messageKey(channel).endsWith(`.${this.clientId}!`))
      throw new ForeignChannelError(channel);
    if (this.#isClosed) throw new LayerClosedError();
    const local = known ?? this.#add(channel);
    this.#dropExpired(local);
    const taken = local.queue.takeMany(max, signal);
    if (local.queue.waiting > 0) this.#want(local);
    try {
      return (await taken).map(({ message }) => message);
    } finally {
      this.#release(local);
      // Who receives one by one waits again before the end of this turn.
      if (local.queue.waiting === 0) setImmediate(() => this.#forgetIfUnused(local));
    }
  }

  /** Throws away what is kept. Who waits goes on waiting. */
  clear(): void {
    for (const local of this.#channels.values()) {
      local.queue.clear();
      this.#forgetIfUnused(local);
    }
  }

  /** Ends all waits with LayerClosedError; resolves when no `take` is under way any more. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { queue } of this.#channels.values()) queue.fail(new LayerClosedError());
    this.clear();
    await Promise.all(Array.from(this.#readers.values(), ({ ended }) => ended));
  }

  #add(channel: string): LocalChannel {
    const queue = new WaitingQueue<Kept>();
    const local = { name: channel, key: messageKey(channel), queue };
    this.#channels.set(channel, local);
    return local;
  }

  /** Has messages taken for a queue. */
  #want({ key, queue }: LocalChannel): void {
    const reader = this.#readers.get(key);
    if (reader !== undefined) reader.wanted.add(queue);
    else this.#read(key, new Set([queue]));
  }

  /** Somebody stopped waiting; without anybody the `take` under way is called off. */
  #release({ key, queue }: LocalChannel): void {
    const reader = this.#readers.get(key);
    if (reader === undefined || queue.waiting > 0) return;
    reader.wanted.delete(queue);
    if (reader.wanted.size === 0) reader.taking.abort();
  }

  /** Takes messages from under a key for as long as somebody wants them, one `take` at a time. */
  #read(key: string, wanted: Set<WaitingQueue<Kept>>): void {
    const reader = { wanted, taking: new AbortController(), ended: Promise.resolve() };
    this.#readers.set(key, reader);
    const run = async () => {
      while (wanted.size > 0) {
        reader.taking = new AbortController();
        for (const message of await this.#take(key, wanted, reader.taking.signal)) this.#distribute(message);
      }
      this.#readers.delete(key);
    };
    reader.ended = run();
  }

  async #take(
    key: string,
    wanted: Set<WaitingQueue<Kept>>,
    signal: AbortSignal,
  ): Promise<readonly ProcessMessage[]> {
    const count = Array.from(wanted).reduce((sum, queue) => sum + queue.wanted, 0);
    try {
      return await this.#options.take(key, Math.min(Math.max(count, 1), messagesPerTake), signal);
    } catch (error) {
      // Called off, that is no failure; and whoever came since then gets a new `take`.
      if (signal.aborted) return [];
      for (const queue of wanted) queue.fail(error);
      wanted.clear();
      return [];
    }
  }

  #distribute({ channels, read }: ProcessMessage): void {
    const { capacity, expiryMs, now, onDrop } = this.#options;
    const expiresAt = now() + expiryMs;
    for (const channel of channels) {
      const local = this.#channels.get(channel) ?? this.#add(channel);
      const { queue } = local;
      if (queue.waiting === 0 && queue.length >= capacity(channel)) {
        queue.shift();
        onDrop?.({ channel, reason: 'overflow' });
      }
      queue.put({ message: read(), expiresAt });
      if (queue.waiting === 0) this.#readers.get(local.key)?.wanted.delete(queue);
    }
    this.#sweepWhenDue();
  }

  /** Forgets what lies on channels that nobody receives on any more, as those of connections that are gone. */
  #sweepWhenDue(): void {
    const now = this.#options.now();
    if (now < this.#nextSweepAt) return;
    this.#nextSweepAt = now + this.#options.expiryMs;
    for (const local of this.#channels.values()) {
      this.#dropExpired(local);
      this.#forgetIfUnused(local);
    }
  }

  #dropExpired({ name, queue }: LocalChannel): void {
    if (queue.length === 0) return;
    const now = this.#options.now();
    for (let kept = queue.peek(); kept && kept.expiresAt <= now; kept = queue.peek()) {
      queue.shift();
      this.#options.onDrop?.({ channel: name, reason: 'expired' });
    }
  }

  #forgetIfUnused({ name, queue }: LocalChannel): void {
    if (queue.length > 0 || queue.waiting > 0 || this.#channels.get(name)?.queue !== queue) return;
    this.#channels.delete(name);
  }
}

interface LocalChannel {
  readonly name: string;
  /** Under which its messages lie on the medium. */
  readonly key: string;
  readonly queue: WaitingQueue<Kept>;
}

interface Kept {
  readonly message: Received;
  readonly expiresAt: number;
}

interface Reader {
  /** The queues of the key on which somebody waits. */
  readonly wanted: Set<WaitingQueue<Kept>>;
  /** Calls off the `take` under way. */
  taking: AbortController;
  readonly ended: Promise<void>;
}

function randomHex(): string {
  return randomBytes(16).toString('hex');
}
