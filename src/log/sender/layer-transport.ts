// The way of log records over a channel layer.

import { type ChannelLayer, InvalidMessageError, LayerClosedError } from '../../../channels/index.js';
import type { Clock } from '../../base/clock.js';
import { BadMessageError } from '../../base/parse-message.js';
import type { LevelOverride } from '../levels/overrides.js';
import { parseLogLevels } from '../levels/overrides.js';
import { type LogAnswer, parseLogAnswer, replyPrefix, sendersGroup } from '../messages.js';
import type { LocalReceiver, LogTransport, OutgoingRecords, Reply } from './transport.js';

export interface LayerTransportOptions {
  /** Called when the first message is to be sent, and again after a rest. */
  readonly open: () => Promise<ChannelLayer>;
  /** Whether the layer was opened for this transport alone, so that it is closed with it. */
  readonly ownsLayer: boolean;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  readonly clock: Clock;
  /**
   * Rest after so many ms without a message to send, since an open layer may keep the process alive and a logger
   * must not. Never when left out.
   */
  readonly restAfterMs?: number | undefined;
  /** Told what another machine says about levels. Must not throw. */
  readonly onLevels?: ((overrides: readonly LevelOverride[]) => void) | undefined;
}

const retryMs = 1000;
/** A layer that takes longer to send is treated as one that is away. */
const sendMs = 5000;

/**
 * Hands batches to the logger coroutine where it runs in this process; else sends them to the log's channel, and receives the
 * answers on a channel of its own.
 */
export class LayerTransport implements LogTransport {
  readonly #options: LayerTransportOptions;
  readonly #listeners = new Set<Reply>();
  #receiver: LocalReceiver | undefined;
  #link: Promise<Link> | undefined;
  #cancelRest: () => void = () => {};
  /** Messages that are being sent, with the opening of the layer. */
  #underWay = 0;
  /** A layer whose serializer is JSON has no bytes: batches then go as the text that they are. */
  #asText = false;
  #isClosed = false;

  constructor(options: LayerTransportOptions) {
    this.#options = options;
  }

  listen(onAnswer: Reply): () => void {
    this.#listeners.add(onAnswer);
    return () => this.#listeners.delete(onAnswer);
  }

  /** The logger coroutine began to work in this process or, with undefined, ended. */
  connect(receiver: LocalReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver !== undefined) this.#tell({ type: 'log.ready' });
  }

  async deliver(message: OutgoingRecords): Promise<void> {
    if (this.#receiver !== undefined) {
      this.#receiver.accept({ ...message, reply_channel: '' }, (answer) => this.#tell(answer));
      return;
    }
    if (this.#isClosed) throw new LayerClosedError();
    this.#cancelRest();
    this.#underWay++;
    try {
      await this.#send(await this.#currentLink(), message);
    } finally {
      // On a busy machine, opening and sending may take longer than it takes to rest.
      if (--this.#underWay === 0) this.#restLater();
    }
  }

  async #send({ layer, replyChannel }: Link, message: OutgoingRecords): Promise<void> {
    const { channel } = this.#options;
    const addressed = { ...message, reply_channel: replyChannel };
    const signal = AbortSignal.timeout(sendMs);
    try {
      await layer.send(channel, this.#asText ? textInstead(addressed) : addressed, { signal });
    } catch (error) {
      if (!(error instanceof InvalidMessageError) || this.#asText) throw error;
      this.#asText = true;
      await layer.send(channel, textInstead(addressed), { signal });
    }
  }

  async rest(): Promise<void> {
    this.#cancelRest();
    const opening = this.#link;
    this.#link = undefined;
    const link = await opening?.catch(() => undefined);
    if (link === undefined) return;
    link.stop.abort();
    // A member that nobody receives on would be sent to until its membership expires.
    await link.layer
      .groupDiscard(sendersGroup(this.#options.channel), link.replyChannel)
      .catch(() => undefined);
    if (this.#options.ownsLayer) await link.layer.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.rest();
  }

  #currentLink(): Promise<Link> {
    if (this.#link !== undefined) return this.#link;
    const opening = this.#open();
    this.#link = opening;
    opening.catch(() => {
      // After a rest there may be another, which would never be closed if it were forgotten.
      if (this.#link === opening) this.#link = undefined;
    });
    return opening;
  }

  async #open(): Promise<Link> {
    let layer: ChannelLayer | undefined;
    try {
      layer = await this.#options.open();
      const link = { layer, replyChannel: await layer.newChannel(replyPrefix), stop: new AbortController() };
      // In the group, the sender hears at once when a logger coroutine starts; without it, at its next probe.
      if (layer.extensions.has('groups'))
        await layer.groupAdd(sendersGroup(this.#options.channel), link.replyChannel);
      void this.#receive(link);
      return link;
    } catch (error) {
      if (this.#options.ownsLayer) await layer?.close();
      throw error;
    }
  }

  /** Ends with its link and never rejects. */
  async #receive({ layer, replyChannel, stop: { signal } }: Link): Promise<void> {
    while (!signal.aborted) {
      try {
        const received = await layer.receive(replyChannel, { signal });
        if (received.type === 'log.levels') this.#options.onLevels?.(parseLogLevels(received).levels);
        else this.#tell(parseLogAnswer(received));
      } catch (error) {
        if (signal.aborted || error instanceof LayerClosedError) return;
        // An answer that cannot be read is as good as lost; a layer in trouble is asked again.
        if (!(error instanceof BadMessageError)) await this.#pause();
      }
    }
  }

  #tell(answer: LogAnswer): void {
    for (const listener of this.#listeners) listener(answer);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(retryMs, resolve);
    });
  }

  #restLater(): void {
    const { clock, restAfterMs } = this.#options;
    this.#cancelRest();
    if (restAfterMs === undefined || this.#link === undefined) return;
    this.#cancelRest = clock.after(restAfterMs, () => {
      // What cannot be closed is given up all the same; nothing of a record depends on it.
      this.rest().catch(() => undefined);
    });
  }
}

interface Link {
  readonly layer: ChannelLayer;
  readonly replyChannel: string;
  readonly stop: AbortController;
}

function textInstead<M extends { bytes: Uint8Array }>(message: M): Omit<M, 'bytes'> & { bytes: string } {
  return { ...message, bytes: Buffer.from(message.bytes).toString('utf8') };
}
