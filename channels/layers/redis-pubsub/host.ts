// One of the servers of a PubSub layer: a connection that publishes, and one that subscribes, since it may do nothing
// else.

import { LayerUnavailableError } from '../../errors.js';
import { dueAfterMs, type Listening, listeningTo } from '../../serving/listening.js';
import {
  type Client,
  Connection,
  type ConnectionChange,
  type ConnectionOptions,
} from '../redis/connection/connection.js';

export interface HostOptions extends Omit<ConnectionOptions, 'replyWithinMs' | 'onReady'> {
  /** Told of every message on a name that is subscribed to. */
  readonly onMessage: (name: string, payload: Buffer) => void;
  /** Told when a name cannot be subscribed to, and trying on would be for ever in vain. */
  readonly onRefused: (name: string, error: unknown) => void;
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
  /** Since when a name is wanted, in ms of this process's clock. */
  readonly #wanted = new Map<string, number>();
  /** What the server has confirmed on the connection that there is. */
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
   * Resolves when the server has confirmed it. After a failure the name is still wanted: then call `unsubscribe`.
   *
   * @throws LayerUnavailableError, LayerClosedError
   */
  async subscribe(name: string): Promise<void> {
    this.#want(name);
    await this.#subscribing.run((client) => this.#ask(client, name));
  }

  /** The same without waiting for the server, however long it may be away. */
  keepSubscribed(name: string): void {
    if (this.#confirmed.has(name)) return;
    this.#want(name);
    void (this.#subscribing.isReady ? this.#confirm(name) : this.#enter());
  }

  /** Resolves when the server sends nothing on the name any more. Never rejects. */
  async unsubscribe(name: string): Promise<void> {
    this.#confirmed.delete(name);
    if (!this.#wanted.delete(name) || !this.#subscribing.isReady) return;
    await this.#subscribing.run((client) => client.unsubscribe(name)).catch(() => undefined);
  }

  /** What is known of the server, which is asked every `timeoutMs`; undefined for a name that nobody wants. */
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

  /** Waits for the connection as long as it takes. Never rejects: those whose names are refused are told. */
  async #subscribeToAll(): Promise<void> {
    try {
      await this.#subscribing.ready();
      await Promise.all(Array.from(this.#wanted.keys(), (name) => this.#confirm(name)));
    } catch (error) {
      if (!this.#isClosed) for (const name of this.#wanted.keys()) this.#options.onRefused(name, error);
    }
  }

  /** Never rejects. What breaks with the connection is asked for again with the next one. */
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
    // It is back when everything is subscribed to again.
    else await this.#enter();
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
    // `onChange` tells of a failure.
    await this.#subscribing.run((client) => client.ping()).catch(() => undefined);
  }
}
