// The channel layer of a single process: for tests, development, and programs without a server.

import type { Received } from '../../application.js';
import { messageKey } from '../../channel-name.js';
import { copyAsSent, copyOf } from '../../codec/message-copy.js';
import { LayerClosedError } from '../../errors.js';
import type { LayerOptions } from '../../layer.js';
import { type ProcessMessage, processMessage } from '../local-queues.js';
import { reading } from '../outgoing.js';
import { StoredLayer } from '../stored-layer.js';
import { MemoryLeases } from './leases.js';
import { MemoryStats } from './stats.js';
import { MemoryStore } from './store.js';

/**
 * A channel layer in the memory of this process. It copies and checks messages as the other layers do. A
 * lease that has not ended keeps the process alive.
 *
 * Source: django/channels channels/layers.py, InMemoryChannelLayer.
 * @throws InvalidOptionError
 * @example const layer = new InMemoryChannelLayer({ capacity: 10 })
 */
export class InMemoryChannelLayer extends StoredLayer<Received> {
  protected readonly leases: MemoryLeases;
  protected readonly view: MemoryStats;
  readonly #store: MemoryStore;

  constructor(options: LayerOptions = {}) {
    super(options);
    this.#store = new MemoryStore(this.rules);
    this.leases = new MemoryLeases(this.rules, this.#store, () => this.refuseWhenClosed());
    this.view = new MemoryStats(this.#store, this.leases);
  }

  protected write(message: object): Received {
    return copyAsSent(message);
  }

  protected async put(channel: string, parts: ReadonlyArray<readonly Received[]>): Promise<number[]> {
    const key = messageKey(channel);
    const put = (message: Received): boolean => {
      if (!this.#store.hasRoom(key, channel)) return false;
      this.#store.put(key, [channel], message);
      return true;
    };
    return parts.map((part) => part.filter(put).length);
  }

  protected async putToGroup(group: string, sent: object): Promise<void> {
    const message = reading(() => copyAsSent(sent));
    for (const [key, channels] of this.#store.membersByKey(group))
      if (this.#store.hasRoom(key, channels[0])) this.#store.put(key, channels, copyOf(message));
      else this.reportFull([key]);
  }

  protected async take(
    key: string,
    max: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly ProcessMessage[]> {
    const taken = await this.#store.take(key, max, signal);
    return taken.map(({ channels, message }) => processMessage(channels, message));
  }

  protected async addMember(group: string, channel: string): Promise<void> {
    this.#store.addMember(group, channel);
  }

  protected async removeMember(group: string, channel: string): Promise<void> {
    this.#store.removeMember(group, channel);
  }

  protected async clear(): Promise<void> {
    this.#store.clear();
    this.leases.clear();
  }

  protected async end(): Promise<void> {
    this.#store.fail(new LayerClosedError());
    this.#store.clear();
    this.leases.clear();
    await this.local.close();
  }
}
