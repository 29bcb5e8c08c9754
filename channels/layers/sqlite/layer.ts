// The embedded channel layer: the processes of one machine share a SQLite file. It needs no server.
//
//   send ────▶ Writer ─────▶ LayerFile ──▶ Waiting ─────┬──▶ receive on a general channel
//   groups ──▶ a turn's      writes the    looks when   └──▶ LocalQueues ──▶ receive on a specific one
//              writes are    wake file     the wake file
//              one commit                  was written

import { resolve } from 'node:path';
import type { Received } from '../../application.js';
import { messageKey } from '../../channel-name.js';
import { encode } from '../../codec/msgpack.js';
import { InvalidOptionError, UndecodableError } from '../../errors.js';
import type { LayerOptions } from '../../layer.js';
import type { Leases } from '../../leases.js';
import type { Listening } from '../../serving/listening.js';
import type { StoreView } from '../base-layer.js';
import { type ProcessMessage, processMessage } from '../local-queues.js';
import { reading } from '../outgoing.js';
import { StoredLayer } from '../stored-layer.js';
import { readBody } from './body.js';
import { LayerFile } from './layer-file.js';
import { SqliteLeases } from './leases.js';
import { SqliteStats } from './stats.js';
import type { MessageStore } from './store.js';
import { Waiting } from './waiting.js';
import { Writer } from './writer.js';

export { LayerFileError } from './errors.js';

export interface SqliteLayerOptions extends LayerOptions {
  /**
   * The path of the file, which the layer creates. Its directory must exist, on a local disk. SQLite and the
   * layer create `-wal`, `-shm` and `-wake` files beside it.
   */
  readonly path: string;
}

/**
 * A channel layer in a SQLite file that any number of processes on one machine share. The first call that
 * needs the file opens it. Several processes may wait on a channel; one of them gets each message. A message
 * is in the file when its `send` resolves, and survives a crash of any process. `close` writes pending
 * messages if the file is not locked.
 *
 * Errors about the file are `LayerFileError` (`CHANNELS_ERR_LAYER_UNAVAILABLE`). A receive waits while the
 * file is locked, the disk is full, or the file is deleted (then it creates a new one). It rejects when the
 * file is damaged or read-only.
 *
 * @throws InvalidOptionError
 * @example const layer = new SqliteChannelLayer({ path: 'channels.db' })
 */
export class SqliteChannelLayer extends StoredLayer<Uint8Array> {
  // Typed as interfaces, so that the declarations of this class do not need those of better-sqlite3.
  protected readonly leases: Leases;
  protected readonly view: StoreView;
  readonly #file: LayerFile;
  readonly #writer: Writer;
  readonly #waiting: Waiting;

  constructor(options: SqliteLayerOptions) {
    super(options);
    const { rules } = this;
    this.#file = new LayerFile(checkPath(options.path), (channel, reason, count) => {
      for (let i = 0; i < count; i++) rules.onDrop?.({ channel, reason });
    });
    const common = { ...rules, file: this.#file };
    this.#writer = new Writer(common);
    this.#waiting = new Waiting(common);
    this.leases = new SqliteLeases({ ...common, writer: this.#writer, waiting: this.#waiting });
    this.view = new SqliteStats(common);
  }

  /** The layer reads its file at every beat while somebody waits. */
  listening(channel: string): Listening | undefined {
    return this.#waiting.listening(messageKey(channel));
  }

  protected write(message: object): Uint8Array {
    return encode(message);
  }

  protected async put(
    channel: string,
    parts: ReadonlyArray<readonly Uint8Array[]>,
    signal?: AbortSignal,
  ): Promise<number[]> {
    const key = messageKey(channel);
    const common = { key, channels: [channel], capacity: this.rules.capacity(channel) };
    const counts = await Promise.all(
      parts.map((bodies) =>
        this.#write((store, now) => {
          const message = { ...common, now, expiresAt: this.#expiresAt(key, now) };
          const [body] = bodies;
          // A single message is the usual case and needs one statement.
          if (bodies.length === 1 && body !== undefined) return store.put({ ...message, body }) ? 1 : 0;
          return store.putMany({ ...message, bodies });
        }, signal),
      ),
    );
    this.#waiting.wake(key);
    return counts;
  }

  protected async putToGroup(group: string, message: object): Promise<void> {
    const body = reading(() => encode(message));
    const { capacity } = this.rules;
    const { accepted, full } = await this.#write((store, now) =>
      store.putToGroup({ group, body, now, capacity, expiresAt: this.#expiresAt(group, now) }),
    );
    for (const key of accepted) this.#waiting.wake(key);
    this.reportFull(full);
  }

  /** Drops undecodable messages. */
  protected async take(
    key: string,
    max: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly ProcessMessage[]> {
    for (;;) {
      const taken = await this.#waiting.take(key, max, signal);
      const messages = taken.flatMap(({ channels, body }) =>
        this.#read(key, body).map((message) => processMessage(channels, message)),
      );
      if (messages.length > 0) return messages;
    }
  }

  protected async addMember(group: string, channel: string): Promise<void> {
    const { groupExpiryMs } = this.rules;
    await this.#write((store, now) => store.addMember(group, channel, Math.ceil(now + groupExpiryMs)));
  }

  protected async removeMember(group: string, channel: string): Promise<void> {
    await this.#write((store) => store.removeMember(group, channel));
  }

  protected async clear(): Promise<void> {
    await this.#write((store) => store.clear());
  }

  protected async end(): Promise<void> {
    this.#writer.close();
    this.#waiting.close();
    await this.local.close();
    this.#file.close();
  }

  #write<T>(work: (store: MessageStore, now: number) => T, signal?: AbortSignal): Promise<T> {
    return this.#writer.add((store) => work(store, this.rules.now()), signal);
  }

  #expiresAt(channel: string, now: number): number {
    return Math.ceil(now + this.rules.expiryMsOf(channel));
  }

  /** Returns the message, or reports that it is undecodable and returns none. */
  #read(channel: string, body: Uint8Array): Received[] {
    try {
      return [readBody(body)];
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.rules.onDrop?.({ channel, reason: 'undecodable', error });
      return [];
    }
  }
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && path !== '' && path !== ':memory:') return resolve(path);
  throw new InvalidOptionError('path', 'the path of a file (in memory: InMemoryChannelLayer)', path);
}
