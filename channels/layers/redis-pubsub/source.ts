// What can be seen of the PubSub layer: Redis keeps nothing, so it is what this layer object keeps.

import type { Received } from '../../application.js';
import type { MessageCodec } from '../../message-codec.js';
import type { GroupReport, KeyDepth, Peeked } from '../../stats.js';
import type { Audience } from './audience.js';

export interface PubSubSourceOptions {
  readonly audience: Audience;
  readonly codec: MessageCodec;
  /** What groups' names on Redis begin with. */
  readonly groupPrefix: string;
}

export class PubSubSource {
  readonly #options: PubSubSourceOptions;

  constructor(options: PubSubSourceOptions) {
    this.#options = options;
  }

  depths(): KeyDepth[] {
    const channels = this.#options.audience.channels();
    return channels.map(([key, queue]) => ({ key, depth: queue.length, onLease: 0 }));
  }

  peek(channel: string, max: number, onLease: boolean): Peeked[] {
    if (onLease) return [];
    const [, queue] = this.#options.audience.channels().find(([name]) => name === channel) ?? [];
    return queue?.first(max).map((message) => this.#peeked(channel, message)) ?? [];
  }

  groups(group: string | undefined): GroupReport[] {
    const { audience, groupPrefix } = this.#options;
    return audience
      .groups()
      .map(([name, channels]) => ({
        group: name.slice(groupPrefix.length),
        members: channels.map((channel) => ({ channel })),
      }))
      .filter((report) => group === undefined || report.group === group)
      .sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  /** As read anew, so that nobody changes what its receiver gets. */
  #peeked(channel: string, message: Received): Peeked {
    const bytes = this.#options.codec.encode(message);
    return {
      channels: [channel],
      message: this.#options.codec.decode(bytes),
      bytes: bytes.length,
      deliveries: 0,
    };
  }
}
