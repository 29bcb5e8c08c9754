// The embedded channel layer: the processes of one machine share a SQLite file, without any server.
//
//   send ────▶ Writer ─────▶ LayerFile ──▶ Reader ──────┬──▶ receive on a general channel
//   groups ──▶ a turn's      rings the     looks when   └──▶ LocalQueues ──▶ receive on a specific one
//              writes are    doorbell      the doorbell
//              one commit                  rang

import { resolve } from 'node:path';
import type { Message, Received } from '../application.js';
import { ChannelFull, InvalidOptionError, LayerClosedError, UndecodableError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  checkMessage,
  type DroppedMessage,
  type Extension,
  type LayerOptions,
  messageKey,
  secondsToMs,
  type WaitOptions,
} from '../layer.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { decode, encode } from '../msgpack.js';
import { LayerFile } from './sqlite/layer-file.js';
import type { MessageStore, StoredMessage } from './sqlite/message-store.js';
import { Reader } from './sqlite/reader.js';
import { Writer } from './sqlite/writer.js';

export { LayerFileError } from './sqlite/errors.js';

export interface SqliteLayerOptions extends LayerOptions {
  /** The file, made where it is missing; beside it lie `-wal`, `-shm` and `-wake`. On a local disk, in a directory that exists. */
  readonly path: string;
}

/** How many messages are taken at once for the specific channels of this process. */
const messagesPerTake = 100;

/**
 * A channel layer in a SQLite file that any number of processes on one machine open. The file is opened by the
 * first call that needs it. Several processes may wait on a channel; each message goes to one of them, within
 * some tenths of a millisecond. A message is in the file when its `send` resolves, and survives any crash of a process.
 *
 * Errors about the file are `LayerFileError` (`CHANNELS_ERR_LAYER_UNAVAILABLE`). A receive waits through a lock, a
 * full disk and a file that was deleted (a new one is made), but not through a damaged or read-only one.
 *
 * @throws InvalidOptionError
 * @example const layer = new SqliteChannelLayer({ path: 'channels.db' })
 */
export class SqliteChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush']);
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: number;
  readonly #groupExpiryMs: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #file: LayerFile;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #local: LocalQueues;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteLayerOptions) {
    this.#capacity = capacityOf(options);
    this.#expiryMs = secondsToMs('expiry', options.expiry ?? 60);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    this.#file = new LayerFile(checkPath(options.path), (channel, count) => {
      for (let i = 0; i < count; i++) this.#onDrop?.({ channel, reason: 'expired' });
    });
    this.#writer = new Writer({ file: this.#file, now: this.#now });
    this.#reader = new Reader({ file: this.#file, now: this.#now });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs: this.#expiryMs,
      now: this.#now,
      onDrop: this.#onDrop,
      take: (key, signal) => this.#takeForProcess(key, signal),
    });
  }

  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const body = encode(checkMessage(message));
    const capacity = this.#capacity(channel);
    const accepted = await this.#write(
      (store, now) =>
        store.put({
          key,
          channels: [channel],
          body,
          capacity,
          now,
          expiresAt: Math.ceil(now + this.#expiryMs),
        }),
      options.signal,
    );
    if (!accepted) throw new ChannelFull(channel, capacity);
    this.#reader.wake(key);
  }

  async receive(channel: string, options: WaitOptions = {}): Promise<Received> {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (channel.includes('!')) return this.#local.receive(channel, options.signal);
    for (;;) {
      const [taken] = await this.#reader.take(channel, 1, options.signal);
      const message = taken && this.#read(channel, taken);
      if (message) return message;
    }
  }

  async newChannel(prefix?: string): Promise<string> {
    return this.#local.newChannel(prefix);
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    await this.#write((store, now) => store.addMember(group, channel, Math.ceil(now + this.#groupExpiryMs)));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    await this.#write((store) => store.removeMember(group, channel));
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    checkGroupName(group);
    const body = encode(checkMessage(message));
    const keys = await this.#write((store, now) =>
      store.putToGroup({
        group,
        body,
        now,
        capacity: this.#capacity,
        expiresAt: Math.ceil(now + this.#expiryMs),
      }),
    );
    for (const key of keys) this.#reader.wake(key);
  }

  async flush(): Promise<void> {
    await this.#write((store) => store.clear());
    this.#local.clear();
  }

  /** Writes what was sent before, as far as the file lets it at once, and ends all waits. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#writer.close();
    this.#reader.close();
    await this.#local.close();
    this.#file.close();
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new LayerClosedError();
  }

  #write<T>(work: (store: MessageStore, now: number) => T, signal?: AbortSignal): Promise<T> {
    return this.#writer.add((store) => work(store, this.#now()), signal);
  }

  async #takeForProcess(key: string, signal: AbortSignal): Promise<readonly ProcessMessage[]> {
    for (;;) {
      const taken = await this.#reader.take(key, messagesPerTake, signal);
      const messages = taken.flatMap((stored) => this.#forProcess(key, stored) ?? []);
      if (messages.length > 0) return messages;
    }
  }

  /** Decoded here once, so that one who is not meant never stumbles over bad bytes; further readers get copies. */
  #forProcess(key: string, stored: StoredMessage): ProcessMessage | undefined {
    let first = this.#read(key, stored);
    if (first === undefined) return undefined;
    const read = () => {
      const message = first ?? decodeMessage(stored.body);
      first = undefined;
      return message;
    };
    return { channels: stored.channels, read };
  }

  /** The message, or undefined after telling why there is none. */
  #read(channel: string, { body }: StoredMessage): Received | undefined {
    try {
      return decodeMessage(body);
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel, reason: 'undecodable', error });
      return undefined;
    }
  }
}

/** @throws UndecodableError */
function decodeMessage(body: Uint8Array): Received {
  const value = decode(body);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return value as Received;
  }
  throw new UndecodableError('expected a map with text keys');
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && path !== '' && path !== ':memory:') return resolve(path);
  throw new InvalidOptionError('path', 'the path of a file (in memory: InMemoryChannelLayer)', path);
}
