// Carries log records over a channel layer.

import { type ChannelLayer, InvalidMessageError, LayerClosedError } from '../../../channels/index.js';
import { untraced } from '../../../channels/tracing/peer.js';
import type { Clock } from '../../base/clock.js';
import { BadMessageError } from '../../base/parse-message.js';
import type { LevelOverride } from '../levels/overrides.js';
import { parseLogLevels } from '../levels/overrides.js';
import { type LogAnswer, parseLogAnswer, replyPrefix, sendersGroup } from '../messages.js';
import type { LocalReceiver, LogTransport, OutgoingRecords, Reply } from './transport.js';

export interface LayerTransportOptions {
  /** Opens the layer for the first message, and again after `suspend`. */
  readonly open: () => Promise<ChannelLayer>;
  /** Whether the layer serves only this transport, which then closes it. */
  readonly ownsLayer: boolean;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  readonly clock: Clock;
  /**
   * Suspend after this time without a message, in ms: an open layer may keep the process alive, and a logger
   * must not. Default: never.
   */
  readonly suspendAfterMs?: number | undefined;
  /** Called with the levels that another machine has set. Must not throw. */
  readonly onLevels?: ((overrides: readonly LevelOverride[]) => void) | undefined;
}

const retryMs = 1000;
/** A layer that takes longer to send counts as lost. */
const sendMs = 5000;

/**
 * Gives batches directly to a logger coroutine in this process. Otherwise sends them to the log's channel,
 * and receives the answers on its own channel.
 */
export class LayerTransport implements LogTransport {
  readonly #options: LayerTransportOptions;
  readonly #listeners = new Set<Reply>();
  #receiver: LocalReceiver | undefined;
  #link: Promise<Link> | undefined;
  #cancelSuspend: () => void = () => {};
  /** Calls of `deliver` that are in progress. */
  #inProgress = 0;
  /** Whether batches are sent as text, since the layer's serializer (JSON) has no bytes. */
  #asText = false;
  #isClosed = false;

  constructor(options: LayerTransportOptions) {
    this.#options = options;
  }

  listen(onAnswer: Reply): () => void {
    this.#listeners.add(onAnswer);
    return () => this.#listeners.delete(onAnswer);
  }

  /** The logger coroutine has started in this process or, with undefined, ended. */
  connect(receiver: LocalReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver !== undefined) this.#notify({ type: 'log.ready' });
  }

  async deliver(message: OutgoingRecords): Promise<void> {
    if (this.#receiver !== undefined) {
      this.#receiver.accept({ ...message, reply_channel: '' }, (answer) => this.#notify(answer));
      return;
    }
    if (this.#isClosed) throw new LayerClosedError();
    this.#cancelSuspend();
    this.#inProgress++;
    try {
      await this.#send(await this.#currentLink(), message);
    } finally {
      // Only now: on a busy machine, opening and sending may take longer than `suspendAfterMs`.
      if (--this.#inProgress === 0) this.#suspendLater();
    }
  }

  async #send({ layer, replyChannel }: Link, message: OutgoingRecords): Promise<void> {
    const { channel } = this.#options;
    const addressed = { ...message, reply_channel: replyChannel };
    const signal = AbortSignal.timeout(sendMs);
    try {
      const sent = this.#asText ? asTextMessage(addressed) : addressed;
      await untraced(() => layer.send(channel, sent, { signal }));
    } catch (error) {
      if (!(error instanceof InvalidMessageError) || this.#asText) throw error;
      this.#asText = true;
      await untraced(() => layer.send(channel, asTextMessage(addressed), { signal }));
    }
  }

  async suspend(): Promise<void> {
    this.#cancelSuspend();
    const opening = this.#link;
    this.#link = undefined;
    const link = await opening?.catch(() => undefined);
    if (link === undefined) return;
    link.stop.abort();
    // Otherwise the group sends to this channel until the membership expires.
    await link.layer
      .groupDiscard(sendersGroup(this.#options.channel), link.replyChannel)
      .catch(() => undefined);
    if (this.#options.ownsLayer) await link.layer.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.suspend();
  }

  #currentLink(): Promise<Link> {
    if (this.#link !== undefined) return this.#link;
    const opening = this.#open();
    this.#link = opening;
    opening.catch(() => {
      // After `suspend` there may be a newer link, which must stay known to be closed later.
      if (this.#link === opening) this.#link = undefined;
    });
    return opening;
  }

  async #open(): Promise<Link> {
    let layer: ChannelLayer | undefined;
    try {
      layer = await this.#options.open();
      const link = { layer, replyChannel: await layer.newChannel(replyPrefix), stop: new AbortController() };
      // The group announces the start of a logger coroutine at once. Without it, the sender finds out by its
      // next probe.
      if (layer.extensions.has('groups'))
        await layer.groupAdd(sendersGroup(this.#options.channel), link.replyChannel);
      void this.#receive(link);
      return link;
    } catch (error) {
      if (this.#options.ownsLayer) await layer?.close();
      throw error;
    }
  }

  /** Ends with its link. Never rejects. */
  async #receive({ layer, replyChannel, stop: { signal } }: Link): Promise<void> {
    while (!signal.aborted) {
      try {
        const received = await layer.receive(replyChannel, { signal });
        if (received.type === 'log.levels') this.#options.onLevels?.(parseLogLevels(received).levels);
        else this.#notify(parseLogAnswer(received));
      } catch (error) {
        if (signal.aborted || error instanceof LayerClosedError) return;
        // A bad answer counts as lost. After any other error, the layer gets a pause.
        if (!(error instanceof BadMessageError)) await this.#pause();
      }
    }
  }

  #notify(answer: LogAnswer): void {
    for (const listener of this.#listeners) listener(answer);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(retryMs, resolve);
    });
  }

  #suspendLater(): void {
    const { clock, suspendAfterMs } = this.#options;
    this.#cancelSuspend();
    if (suspendAfterMs === undefined || this.#link === undefined) return;
    this.#cancelSuspend = clock.after(suspendAfterMs, () => {
      // A failure to close loses no record.
      this.suspend().catch(() => undefined);
    });
  }
}

interface Link {
  readonly layer: ChannelLayer;
  readonly replyChannel: string;
  readonly stop: AbortController;
}

function asTextMessage<M extends { bytes: Uint8Array }>(message: M): Omit<M, 'bytes'> & { bytes: string } {
  return { ...message, bytes: Buffer.from(message.bytes).toString('utf8') };
}
