// One of the servers of a PubSub layer: a connection that publishes, and one that subscribes, since it may do nothing
// else.

import type { LayerUnavailableError } from '../../errors.js';
import { dueAfterMs, type Listening, listeningTo } from '../../listening.js';
import {
  type Client,
  Connection,
  type ConnectionChange,
  type ConnectionOptions,
} from '../redis/connection.js';
import { isReplyError } from '../redis/replies.js';

export interface HostOptions extends Omit<ConnectionOptions, 'replyWithinMs' | 'onReady'> {
  /** Told of every message on a name that is subscribed to. */
  readonly onMessage: (name: string, payload: Buffer) => void;
  /** Told when a name cannot be subscribed to, and trying on would be for ever in vain. */
  readonly onRefused: (name: string, error: LayerUnavailableError) => void;
}

/** A name that is wanted. */
interface Subscription {
  /** In ms of this process's clock. */
  readonly since: number;
  /** What became of it on the connection that there is. */
  reply?: Promise<void> | undefined;
}

/**
 * What is subscribed to holds until `unsubscribe`, through restarts of the server; what is published meanwhile is
 * lost. A server that hangs is noticed within twice the time for a reply. To the outside the connections are one.
 */
export class Host {
  /** For publishing. */
  readonly commands: Connection;
  readonly #options: HostOptions;
  readonly #subscribing: Connection;
  readonly #wanted = new Map<string, Subscription>();
  /** The connections that are away. */
  readonly #away = new Set<Connection>();
  #entering: Promise<unknown> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** In ms of this process's clock. */
  #heardAt: number | undefined;
  #isClosed = false;

  constructor(options: HostOptions) {
    this.#options = options;
    const common = {
      address: options.address,
      timeoutMs: options.timeoutMs,
      replyWithinMs: options.timeoutMs,
    };
    this.commands = new Connection({ ...common, onChange: (change) => this.#note(this.commands, change) });
    this.#subscribing = new Connection({
      ...common,
      onReady: () => {
        for (const subscription of this.#wanted.values()) subscription.reply = undefined;
        this.#heartbeat ??= setInterval(() => void this.#beat(), options.timeoutMs).unref();
      },
      onChange: (change) => void this.#onChange(change),
    });
  }

  /**
   * Resolves when the server has confirmed it. After a failure the name is still wanted: then call `unsubscribe`.
   *
   * @throws LayerUnavailableError, LayerClosedError
   */
  async subscribe(name: string): Promise<void> {
    this.#want(name);
    await this.#subscribing.run((client) => this.#confirm(client, name));
  }

  /** The same without waiting for the server, however long it may be away. */
  keepSubscribed(name: string): void {
    const { reply } = this.#want(name);
    if (reply === undefined || !this.#subscribing.isReady) this.#enter();
  }

  /** Resolves when the server sends nothing on the name any more. Never rejects. */
  async unsubscribe(name: string): Promise<void> {
    if (!this.#wanted.delete(name) || !this.#subscribing.isReady) return;
    await this.#subscribing.run((client) => client.unsubscribe(name)).catch(() => undefined);
  }

  /** What is known of the server, which is asked every `timeoutMs`; undefined for a name that nobody wants. */
  listening(name: string): Listening | undefined {
    const subscription = this.#wanted.get(name);
    const { timeoutMs } = this.#options;
    return subscription && listeningTo(subscription.since, this.#heardAt, dueAfterMs(timeoutMs, timeoutMs));
  }

  /** Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.#wanted.clear();
    this.#subscribing.close();
    this.commands.close();
  }

  #want(name: string): Subscription {
    const subscription = this.#wanted.get(name) ?? { since: performance.now() };
    this.#wanted.set(name, subscription);
    return subscription;
  }

  /** Asks for a wanted name, once on every connection. */
  async #confirm(client: Client, name: string): Promise<void> {
    const subscription = this.#wanted.get(name);
    if (subscription === undefined) return;
    subscription.reply ??= this.#ask(client, name);
    try {
      await subscription.reply;
    } catch (error) {
      // What the server refused is not asked for again by itself; what broke with the connection is.
      if (isReplyError(error) && this.#wanted.get(name) === subscription) this.#wanted.delete(name);
      throw error;
    }
  }

  async #ask(client: Client, name: string): Promise<void> {
    if (client.listenerCount('messageBuffer') === 0)
      client.on('messageBuffer', (name: Buffer, payload: Buffer) => {
        this.#heardAt = performance.now();
        if (!this.#isClosed) this.#options.onMessage(name.toString(), payload);
      });
    await client.subscribe(name);
    this.#heardAt = performance.now();
  }

  #enter(): void {
    this.#entering ??= this.#subscribeToAll().finally(() => {
      this.#entering = undefined;
    });
  }

  /** Waits for the connection as long as it takes. Never rejects: those whose names are refused are told. */
  async #subscribeToAll(): Promise<void> {
    try {
      const client = await this.#subscribing.ready();
      await Promise.all(Array.from(this.#wanted.keys(), (name) => this.#confirmOrRefuse(client, name)));
    } catch (error) {
      if (this.#isClosed) return;
      for (const name of [...this.#wanted.keys()])
        this.#options.onRefused(name, error as LayerUnavailableError);
    }
  }

  async #confirmOrRefuse(client: Client, name: string): Promise<void> {
    try {
      await this.#confirm(client, name);
    } catch (error) {
      if (isReplyError(error)) this.#options.onRefused(name, this.#subscribing.unavailable(error));
    }
  }

  async #onChange(change: ConnectionChange): Promise<void> {
    // It is back when everything is subscribed to again.
    if (change.connected) await this.#subscribeToAll();
    else if (this.#wanted.size > 0) this.#enter();
    if (change.connected === this.#subscribing.isReady) this.#note(this.#subscribing, change);
  }

  /** Away is when one of them is, back is when both are. */
  #note(connection: Connection, change: ConnectionChange): void {
    const wasAway = this.#away.size > 0;
    if (change.connected) this.#away.delete(connection);
    else this.#away.add(connection);
    if (this.#away.size > 0 !== wasAway && !this.#isClosed) this.#options.onChange?.(change);
  }

  /** A server that hangs sends nothing, as one on whose channels nobody sends: only an answer tells. */
  async #beat(): Promise<void> {
    if (this.#wanted.size === 0 || !this.#subscribing.isReady) return;
    try {
      await this.#subscribing.run((client) => client.ping());
      this.#heardAt = performance.now();
    } catch {
      // `onChange` tells of it.
    }
  }
}
