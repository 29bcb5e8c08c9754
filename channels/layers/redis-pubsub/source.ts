// What the X-ray can see of the PubSub layer: Redis keeps nothing, so it is what this layer object keeps, and how many
// listen.

import type { Received } from '../../application.js';
import type { MessageCodec } from '../../message-codec.js';
import { LocalBoard } from '../../xray/local-board.js';
import type { Depth, LeftEvents, Look, ProcessRecord, Report, XraySource } from '../../xray/source.js';
import type { GroupReport, Peeked } from '../../xray.js';
import type { Audience } from './audience.js';
import type { Host } from './host.js';

export interface PubSubSourceOptions {
  readonly audience: Audience;
  readonly codec: MessageCodec;
  readonly hostOf: (name: string) => Host;
  /** What groups' names on Redis begin with. */
  readonly groupPrefix: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class PubSubSource implements XraySource {
  readonly isShared = false;
  readonly hasIds = false;
  readonly #options: PubSubSourceOptions;
  readonly #board: LocalBoard;

  constructor(options: PubSubSourceOptions) {
    this.#options = options;
    this.#board = new LocalBoard(options.now);
  }

  async look(): Promise<Look> {
    const depths = new Map<string, Depth>();
    const counts = this.#board.counts();
    for (const [channel, queue] of this.#options.audience.channels())
      depths.set(channel, { depth: queue.length, onLease: 0 });
    for (const channel of counts.keys())
      if (!channel.includes('*') && !depths.has(channel)) depths.set(channel, { depth: 0, onLease: 0 });
    await Promise.all(
      Array.from(depths, async ([channel, depth]) =>
        depths.set(channel, { ...depth, receivers: await this.#listeners(channel) }),
      ),
    );
    return { depths, counts, processes: this.#board.processes() };
  }

  async peek(channel: string, max: number, onLease: boolean): Promise<Peeked[]> {
    if (onLease) return [];
    const [, queue] = this.#options.audience.channels().find(([name]) => name === channel) ?? [];
    return queue?.first(max).map((message) => this.#peeked(channel, message)) ?? [];
  }

  async groups(group: string | undefined): Promise<GroupReport[]> {
    const { audience, groupPrefix } = this.#options;
    return audience
      .groups()
      .map(([name, channels]) => ({
        group: name.slice(groupPrefix.length),
        members: channels.map((channel) => ({ channel })),
      }))
      .filter((report) => group === undefined || report.group === group);
  }

  async publish(report: Report): Promise<boolean> {
    this.#board.put(report);
    return false;
  }

  async askForEvents(): Promise<() => Promise<readonly ProcessRecord[]>> {
    return async () => [];
  }

  async leftEvents(): Promise<readonly LeftEvents[]> {
    return [];
  }

  /** Forgets the counts. */
  clear(): void {
    this.#board.clear();
  }

  /** How many connections are subscribed, also those of Python processes. */
  async #listeners(channel: string): Promise<number> {
    const { commands } = this.#options.hostOf(channel);
    const [, count] = await commands.run((client) => client.pubsub('NUMSUB', channel));
    return Number(count);
  }

  /** As read anew, so that nobody changes what its receiver gets. */
  #peeked(channel: string, message: Received): Peeked {
    const bytes = this.#options.codec.encode(message);
    return {
      id: '',
      channels: [channel],
      message: this.#options.codec.decode(bytes),
      bytes: bytes.length,
      deliveries: 0,
    };
  }
}
