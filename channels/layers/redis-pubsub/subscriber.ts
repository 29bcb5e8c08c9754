// A connection for subscriptions, which are made again whenever it had to be made again.

import type { LayerUnavailableError } from '../../errors.js';
import { dueAfterMs, type Listening } from '../../listening.js';
import {
  type Client,
  Connection,
  type ConnectionChange,
  type ConnectionOptions,
} from '../redis/connection.js';
import { isReplyError } from '../redis/replies.js';

export interface SubscriberOptions extends ConnectionOptions {
  /** Told of every message on a name that is subscribed to. */
  readonly onMessage: (name: string, payload: Buffer) => void;
  /** Told when a name cannot be subscribed to, and trying on would be for ever in vain. */
  readonly onRefused: (name: string, error: LayerUnavailableError) => void;
  /** Told once when the server is away, and once when it is back and everything is subscribed to again. */
  readonly onChange: (change: ConnectionChange) => void;
}

/** A name's subscription: the client that it was asked of, and what became of it. */
interface Subscription {
  /** Since when it is wanted, in ms of this process's clock. */
  readonly since: number;
  asked?: { readonly client: Client; readonly reply: Promise<void> };
}

/**
 * Subscribes to names of one server. What it is asked for holds until `unsubscribe`, through restarts of the server;
 * what is published meanwhile is lost. A server that hangs is noticed within twice the time for a reply.
 */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #connection: Connection;
  readonly #wanted = new Map<string, Subscription>();
  #listening: Client | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** In ms of this process's clock. */
  #heardAt: number | undefined;
  #entering = false;
  #isAway = false;
  #closed = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#connection = new Connection({
      ...options,
      onChange: ({ connected, ...change }) => {
        if (connected) return;
        this.#isAway = true;
        options.onChange({ ...change, connected });
        this.#enter();
      },
      onServer: () => void this.#subscribeAgain(),
    });
  }

  /**
   * Resolves when the server has confirmed it. After a failure the name is still wanted: then call `unsubscribe`.
   *
   * @throws LayerUnavailableError, LayerClosedError
   */
  async subscribe(name: string): Promise<void> {
    this.#want(name);
    await this.#connection.run((client) => this.#confirm(client, name));
  }

  /** The same without waiting for the server, however long it may be away. */
  keepSubscribed(name: string): void {
    this.#want(name);
    if (!this.#connection.isReady) this.#enter();
    else void this.#settled(this.#connection.run((client) => this.#confirmOrTell(client, name)));
  }

  /** Resolves when the server sends nothing on the name any more. Never rejects. */
  async unsubscribe(name: string): Promise<void> {
    if (!this.#wanted.delete(name) || !this.#connection.isReady) return;
    await this.#settled(this.#connection.run((client) => client.unsubscribe(name)));
  }

  /** What is known of the server, which is asked every `replyWithinMs`; undefined for a name that nobody wants. */
  listening(name: string): Listening | undefined {
    const subscription = this.#wanted.get(name);
    if (subscription === undefined) return undefined;
    const { replyWithinMs } = this.#options;
    const now = performance.now();
    return {
      waitingMs: now - subscription.since,
      heardMsAgo: this.#heardAt === undefined ? null : now - this.#heardAt,
      dueMs: dueAfterMs(replyWithinMs, replyWithinMs),
    };
  }

  /** Safe to call twice. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#wanted.clear();
    this.#connection.close();
  }

  #want(name: string): void {
    if (!this.#wanted.has(name)) this.#wanted.set(name, { since: performance.now() });
  }

  /** Asks for a wanted name, once of every client. */
  #confirm(client: Client, name: string): Promise<void> {
    const subscription = this.#wanted.get(name);
    if (subscription === undefined) return Promise.resolve();
    if (subscription.asked?.client !== client) {
      this.#listen(client);
      subscription.asked = { client, reply: this.#ask(client, name, subscription) };
    }
    return subscription.asked.reply;
  }

  async #ask(client: Client, name: string, subscription: Subscription): Promise<void> {
    try {
      await client.subscribe(name);
      this.#noteHeard();
    } catch (error) {
      // What the server refused is not asked for again by itself; what broke with the connection is.
      if (isReplyError(error) && this.#wanted.get(name) === subscription) this.#wanted.delete(name);
      throw error;
    }
  }

  async #confirmOrTell(client: Client, name: string): Promise<void> {
    try {
      await this.#confirm(client, name);
    } catch (error) {
      if (isReplyError(error)) this.#options.onRefused(name, this.#connection.unavailable(error));
    }
  }

  #listen(client: Client): void {
    if (this.#listening === client) return;
    this.#listening = client;
    client.on('messageBuffer', (name: Buffer, payload: Buffer) => {
      this.#noteHeard();
      if (!this.#closed) this.#options.onMessage(name.toString(), payload);
    });
  }

  /** Sees to it that the connection is made, and tells everyone when the server lets us in no more. */
  #enter(): void {
    if (this.#entering || this.#closed) return;
    this.#entering = true;
    this.#connection.ready().then(
      () => {
        this.#entering = false;
      },
      (error: LayerUnavailableError) => {
        this.#entering = false;
        if (!this.#closed) for (const name of [...this.#wanted.keys()]) this.#options.onRefused(name, error);
      },
    );
  }

  async #subscribeAgain(): Promise<void> {
    this.#heartbeat ??= setInterval(() => void this.#beat(), this.#options.replyWithinMs).unref();
    const { session } = this.#connection;
    await this.#settled(
      this.#connection.run((client) =>
        Promise.all(Array.from(this.#wanted.keys(), (name) => this.#confirmOrTell(client, name))),
      ),
    );
    if (!this.#isAway || !this.#connection.isReady || this.#connection.session !== session) return;
    this.#isAway = false;
    this.#options.onChange({ host: this.#options.address.name, connected: true });
  }

  /** A server that hangs sends nothing, as one on whose channels nobody sends: only an answer tells. */
  async #beat(): Promise<void> {
    if (this.#wanted.size === 0 || !this.#connection.isReady) return;
    await this.#settled(this.#connection.run((client) => client.ping().then(() => this.#noteHeard())));
  }

  #noteHeard(): void {
    this.#heardAt = performance.now();
  }

  /** Waits for what nobody has to know the failure of: the connection's `onChange` tells of it. */
  async #settled(command: Promise<unknown>): Promise<void> {
    await command.catch(() => undefined);
  }
}
