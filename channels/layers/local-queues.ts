// The process-specific channels of one layer object. All layers use it.
//
// In the store (a table, a sorted set) all messages for one process are under one key, `specific.CLIENT!`.
// While somebody waits on a channel of the process, one reader takes them and passes each to the local
// channels that it names. While nobody waits, the messages stay in the store, where the sender's capacity
// counts them.

import { randomBytes } from 'node:crypto';
import type { Received } from '../application.js';
import { checkChannelName, messageKey } from '../channel-name.js';
import { copyOf } from '../codec/message-copy.js';
import { ForeignChannelError, LayerClosedError } from '../errors.js';
import type { DroppedMessage } from '../layer.js';
import { WaitingQueue } from '../waiting/waiting-queue.js';

/** The most messages in one take. */
const messagesPerTake = 100;

/** A message taken from a process key. */
export interface ProcessMessage {
  /** The full names of its local channels. */
  readonly channels: readonly string[];
  /** Returns a new copy. Called once for each channel, so that no receiver sees another's changes. */
  read(): Received;
}

/** A message that was decoded once. Each of its channels gets a copy. */
export function processMessage(channels: readonly string[], message: Received): ProcessMessage {
  return { channels, read: () => (channels.length === 1 ? message : copyOf(message)) };
}

export interface LocalQueuesOptions {
  /** The most messages that a local channel keeps while nobody receives on it. Then it drops the oldest. */
  readonly capacity: (channel: string) => number;
  /** Milliseconds until a kept message expires. */
  readonly expiryMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onDrop?: ((dropped: DroppedMessage) => void) | undefined;
  /**
   * Waits for at least one message of a process key, and takes at most `wanted`. One reader calls it for each
   * key, one call at a time. After an abort it rejects, or resolves with messages that it already took, so
   * nothing is lost. All waiters of the key get any other rejection.
   */
  readonly take: (key: string, wanted: number, signal: AbortSignal) => Promise<readonly ProcessMessage[]>;
}

/** Creates process-specific channels and delivers their messages. */
export class LocalQueues {
  /** 32 hex digits, different for each layer object. */
  readonly clientId: string = randomHex();
  readonly #options: LocalQueuesOptions;
  readonly #channels = new Map<string, LocalChannel>();
  /** The readers, by key. */
  readonly #readers = new Map<string, Reader>();
  #nextSweepAt: number;
  #isClosed = false;

  constructor(options: LocalQueuesOptions) {
    this.#options = options;
    this.#nextSweepAt = options.now() + options.expiryMs;
  }

  /**
   * Returns a new name: `specific.CLIENT!LOCAL`.
   *
   * @throws InvalidNameError when the prefix makes it no valid one
   */
  newChannel(prefix = 'specific'): string {
    return checkChannelName(`${prefix}.${this.clientId}!${randomHex()}`);
  }

  /**
   * Waits for at least one message of a process-specific channel, and takes at most `max`.
   *
   * @throws ForeignChannelError when another layer object made the channel; LayerClosedError after `close`;
   *   the signal's reason
   */
  async receiveMany(channel: string, max: number, signal?: AbortSignal): Promise<Received[]> {
    const local = this.#open(channel);
    const taken = local.queue.takeMany(max, signal);
    if (local.queue.waiting > 0) this.#want(local);
    try {
      return (await taken).map(({ message }) => message);
    } finally {
      this.#release(local);
      // A receiver that takes single messages waits again before the end of this turn.
      if (local.queue.waiting === 0) setImmediate(() => this.#forgetIfUnused(local));
    }
  }

  /** Passes on all messages of a process-specific channel. @throws as `receiveMany` */
  subscribe(
    channel: string,
    onMessage: (message: Received) => void,
    onFailure: (error: unknown) => void,
  ): () => void {
    const local = this.#open(channel);
    const stop = local.queue.subscribe(({ message }) => onMessage(message), onFailure);
    this.#want(local);
    return () => {
      stop();
      this.#release(local);
      this.#forgetIfUnused(local);
    };
  }

  /** Drops all kept messages. Waiters go on waiting. */
  clear(): void {
    for (const local of this.#channels.values()) {
      local.queue.clear();
      this.#forgetIfUnused(local);
    }
  }

  /** Ends all waits with LayerClosedError. Resolves when no `take` is running. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { queue } of this.#channels.values()) queue.fail(new LayerClosedError());
    this.clear();
    await Promise.all(Array.from(this.#readers.values(), ({ ended }) => ended));
  }

  #open(channel: string): LocalChannel {
    const known = this.#channels.get(channel);
    if (known === undefined && !messageKey(channel).endsWith(`.${this.clientId}!`))
      throw new ForeignChannelError(channel);
    if (this.#isClosed) throw new LayerClosedError();
    const local = known ?? this.#add(channel);
    this.#dropExpired(local);
    return local;
  }

  #add(channel: string): LocalChannel {
    const queue = new WaitingQueue<Kept>();
    const local = { name: channel, key: messageKey(channel), queue };
    this.#channels.set(channel, local);
    return local;
  }

  /** Requests messages for a queue. */
  #want({ key, queue }: LocalChannel): void {
    const reader = this.#readers.get(key);
    if (reader !== undefined) reader.wanted.add(queue);
    else this.#read(key, new Set([queue]));
  }

  /** Removes a queue without waiters. Aborts the running `take` when no queue is left. */
  #release({ key, queue }: LocalChannel): void {
    const reader = this.#readers.get(key);
    if (reader === undefined || queue.waiting > 0) return;
    reader.wanted.delete(queue);
    if (reader.wanted.size === 0) reader.taking.abort();
  }

  /** Takes messages of a key while a queue wants them, one `take` at a time. */
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
      // An aborted `take` is not a failure. Waiters that came later get a new `take`.
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

  /**
   * Drops messages of channels on which nobody receives any more, for example those of closed connections.
   */
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
  /** The key of its messages in the store. */
  readonly key: string;
  readonly queue: WaitingQueue<Kept>;
}

interface Kept {
  readonly message: Received;
  readonly expiresAt: number;
}

interface Reader {
  /** The queues of the key that have waiters. */
  readonly wanted: Set<WaitingQueue<Kept>>;
  /** Aborts the running `take`. */
  taking: AbortController;
  readonly ended: Promise<void>;
}

function randomHex(): string {
  return randomBytes(16).toString('hex');
}
