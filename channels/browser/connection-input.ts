// The two sources of a consumer on a connection, its client and its channel, as one `receive`.

import { isMessage, type Message, type Receive, type Received } from '../application.js';
import { MalformedMessageError } from '../errors.js';
import type { ChannelLayer } from '../layer.js';

/** How many messages of the channel may wait for the consumer. */
const maxWaiting = 1000;

/** Types of the server. A peer on the layer could forge them. */
const serverTypes = /^(?:websocket|http|lifespan)\./;

export interface ConnectionInputOptions {
  /** Of the client. */
  readonly receive: Receive;
  readonly layer: ChannelLayer;
  readonly channel: string;
  /** Called for each bad message of the channel, which is dropped. */
  readonly onBadMessage: (error: Error) => void;
  /** Called when more than 1,000 messages of the channel wait. They are dropped; the caller ends the connection. */
  readonly onOverflow: () => void;
}

/**
 * Returns messages of both sources in turn. It reads the channel at once, whatever the consumer does, so that the channel
 * never fills and a group loses no message unseen. It reads the client only when the consumer asks.
 */
export class ConnectionInput {
  readonly #options: ConnectionInputOptions;
  readonly #ended = new AbortController();
  #ofChannel: Message[] = [];
  #ofClient: Message | undefined;
  #isClientAsked = false;
  #wasChannel = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  readonly #unsubscribe: (() => void) | undefined;

  constructor(options: ConnectionInputOptions) {
    this.#options = options;
    const { layer, channel } = options;
    if (layer.subscribe === undefined) void this.#readChannel();
    else
      this.#unsubscribe = layer.subscribe(
        channel,
        (received) => this.#take(received),
        (error) => this.#fail(error),
      );
  }

  readonly receive: Receive = async () => {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ofClient === undefined && !this.#isClientAsked) void this.#askClient();
      const message = this.#next();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  };

  /** Stops reading the channel. */
  end(): void {
    this.#ended.abort();
    this.#unsubscribe?.();
  }

  #next(): Message | undefined {
    if (this.#ofChannel.length > 0 && (!this.#wasChannel || this.#ofClient === undefined)) {
      this.#wasChannel = true;
      return this.#ofChannel.shift();
    }
    this.#wasChannel = false;
    const message = this.#ofClient;
    this.#ofClient = undefined;
    return message;
  }

  async #askClient(): Promise<void> {
    this.#isClientAsked = true;
    try {
      this.#ofClient = await this.#options.receive();
    } catch (error) {
      this.#failure = { error };
    }
    this.#isClientAsked = false;
    this.#wake?.();
  }

  async #readChannel(): Promise<void> {
    const { layer, channel } = this.#options;
    const { signal } = this.#ended;
    try {
      for (;;) for (const received of await layer.receiveMany(channel, { signal })) this.#take(received);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #take(received: Received): void {
    if (isMessage(received) && !serverTypes.test(received.type)) this.#ofChannel.push(received);
    else this.#options.onBadMessage(badMessage(received));
    if (this.#ofChannel.length > maxWaiting) {
      this.#ofChannel = [];
      this.#options.onOverflow();
    }
    this.#wake?.();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#wake?.();
  }
}

function badMessage(received: Received): Error {
  const type = typeof received.type === 'string' ? received.type : undefined;
  return new MalformedMessageError(
    type,
    new Error('expected a type that is a text and not one of the server'),
  );
}
