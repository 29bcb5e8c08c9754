// What all layers share that store messages.

import type { Received } from '../application.js';
import type { Extension, LayerOptions } from '../layer.js';
import type { Leases } from '../leases.js';
import { BaseLayer } from './base-layer.js';
import { LocalQueues, type ProcessMessage } from './local-queues.js';

/** A layer that stores messages under keys; `B` is a message as the store holds it. */
export abstract class StoredLayer<B> extends BaseLayer<B> {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'lease', 'stats']);
  protected abstract override readonly leases: Leases;
  protected readonly local: LocalQueues;

  constructor(options: LayerOptions) {
    super(options);
    this.local = new LocalQueues({
      ...this.rules,
      expiryMs: this.rules.expiryMsOf(''),
      take: (key, wanted, signal) => this.take(key, wanted, signal),
    });
  }

  /** Waits for at least one message of a key, and takes at most `max`. */
  protected abstract take(
    key: string,
    max: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly ProcessMessage[]>;

  async newChannel(prefix?: string): Promise<string> {
    return this.local.newChannel(prefix);
  }

  subscribe(
    channel: string,
    onMessage: (message: Received) => void,
    onFailure: (error: unknown) => void,
  ): () => void {
    this.checkName(channel);
    return this.local.subscribe(channel, onMessage, onFailure);
  }

  override async flush(): Promise<void> {
    await super.flush();
    this.local.clear();
  }

  protected async receiveSome(channel: string, max: number, signal?: AbortSignal): Promise<Received[]> {
    if (channel.includes('!')) return this.local.receiveMany(channel, max, signal);
    return (await this.take(channel, max, signal)).map(({ read }) => read());
  }
}
