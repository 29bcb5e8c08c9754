// One server of a PubSub layer: one connection publishes, and one subscribes, since a subscribed connection
// can do nothing else.

import { LayerUnavailableError } from '../../errors.js';
import { dueAfterMs, type Listening, listeningTo } from '../../serving/listening.js';
import {
  type Client,
  Connection,
  type ConnectionChange,
  type ConnectionOptions,
} from '../redis/connection/connection.js';

export interface HostOptions extends Omit<ConnectionOptions, 'replyWithinMs' | 'onReady'> {
  /** Called for every message on a subscribed name. */
  readonly onMessage: (name: string, payload: Buffer) => void;
  /** Called when Redis refuses a subscription for good. */
  readonly onRefused: (name: string, error: unknown) => void;
}

/**
 * A subscription lasts until `unsubscribe`, through restarts of the server. Messages during a restart are
 * lost. A hung server is noticed within twice the reply timeout. Events treat both connections as one.
 */
export class Host {
  /** The connection that publishes. */
  readonly commands: Connection;
  readonly #options: HostOptions;
  readonly #subscribing: Connection;
  /** When each name was subscribed, in milliseconds of `performance.now`. */
  readonly #wanted = new Map<string, number>();
  /** The names that the server has confirmed on the current connection. */
  readonly #confirmed = new Set<string>();
  /** The connections that are away. */
  readonly #away = new Set<Connection>();
  #entering: Promise<void> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: HostOptions) {
    this.#options = options;
    const { address, timeoutMs } = options;
    const common = { address, timeoutMs, replyWithinMs: timeoutMs };
    this.commands = new Connection({ ...common, onChange: (change) => this.#note(this.commands, change) });
    this.#subscribing = new Connection({ ...common, onChange: (change) => void this.#onChange(change) });
  }

  /**
   * Resolves when the server has confirmed the subscription. After a failure the name stays wanted: call
   * `unsubscribe`.
   *
   * @throws LayerUnavailableError, LayerClosedError
   */
  async subscribe(name: string): Promise<void> {
    this.#want(name);
    await this.#subscribing.run((client) => this.#ask(client, name));
  }

  /** Like `subscribe`, without waiting for the server. */
  keepSubscribed(name: string): void {
    if (this.#confirmed.has(name)) return;
    this.#want(name);
    void (this.#subscribing.isReady ? this.#confirm(name) : this.#enter());
  }

  /** Resolves when the server no longer sends messages on the name. Never rejects. */
  async unsubscribe(name: string): Promise<void> {
    this.#confirmed.delete(name);
    if (!this.#wanted.delete(name) || !this.#subscribing.isReady) return;
    await this.#subscribing.run((client) => client.unsubscribe(name)).catch(() => undefined);
  }

  /** What is known of the server, which is asked every `timeoutMs`; undefined for an unwanted name. */
  listening(name: string): Listening | undefined {
    const since = this.#wanted.get(name);
    const { timeoutMs } = this.#options;
    return since === undefined
      ? undefined
      : listeningTo(since, this.#subscribing.heardAt, dueAfterMs(timeoutMs, timeoutMs));
  }

  /** Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.#wanted.clear();
    this.#subscribing.close();
    this.commands.close();
  }

  #want(name: string): void {
    if (!this.#wanted.has(name)) this.#wanted.set(name, performance.now());
    this.#heartbeat ??= setInterval(() => void this.#beat(), this.#options.timeoutMs).unref();
  }

  async #ask(client: Client, name: string): Promise<void> {
    if (!this.#wanted.has(name) || this.#confirmed.has(name)) return;
    if (client.listenerCount('messageBuffer') === 0)
      client.on('messageBuffer', (name: Buffer, payload: Buffer) => {
        this.#subscribing.noteHeard();
        if (!this.#isClosed) this.#options.onMessage(name.toString(), payload);
      });
    await client.subscribe(name);
    if (this.#wanted.has(name)) this.#confirmed.add(name);
  }

  #enter(): Promise<void> {
    this.#entering ??= this.#subscribeToAll().finally(() => {
      this.#entering = undefined;
    });
    return this.#entering;
  }

  /** Waits for the connection without a limit. Never rejects; reports refused names. */
  async #subscribeToAll(): Promise<void> {
    try {
      await this.#subscribing.ready();
      await Promise.all(Array.from(this.#wanted.keys(), (name) => this.#confirm(name)));
    } catch (error) {
      if (!this.#isClosed) for (const name of this.#wanted.keys()) this.#options.onRefused(name, error);
    }
  }

  /** Never rejects. The next connection repeats what a lost one interrupted. */
  async #confirm(name: string): Promise<void> {
    try {
      await this.#subscribing.run((client) => this.#ask(client, name));
    } catch (error) {
      const isRefused = error instanceof LayerUnavailableError && error.reason !== 'unreachable';
      if (isRefused && this.#wanted.delete(name)) this.#options.onRefused(name, error);
    }
  }

  async #onChange(change: ConnectionChange): Promise<void> {
    if (!change.connected) {
      this.#confirmed.clear();
      if (this.#wanted.size > 0) void this.#enter();
    }
    // The server counts as back when all names are subscribed again.
    else await this.#enter();
    if (change.connected === this.#subscribing.isReady) this.#note(this.#subscribing, change);
  }

  /** The server is away when one connection is, and back when both are. */
  #note(connection: Connection, change: ConnectionChange): void {
    const wasAway = this.#away.size > 0;
    if (change.connected) this.#away.delete(connection);
    else this.#away.add(connection);
    if (this.#away.size > 0 !== wasAway && !this.#isClosed) this.#options.onChange?.(change);
  }

  /** A hung server looks like an idle one: only an answer shows that it is alive. */
  async #beat(): Promise<void> {
    if (this.#wanted.size === 0 || !this.#subscribing.isReady) return;
    // `onChange` reports a failure.
    await this.#subscribing.run((client) => client.ping()).catch(() => undefined);
  }
}
