// How one who waits without a blocked read learns that a key has changed, whoever changed it.
//
// A blocked read takes what it finds, and a receiver that dies in that moment takes it along. For messages on lease
// that must not happen, so they are taken by a script, which cannot wait. The server tells when to look: it tracks the
// keys that a connection has read for a client-side cache (CLIENT TRACKING, Redis 6), and tells the first change of
// each to another connection. Nothing is set up on the server, and Python's ZADD is noticed like any other.
//
// Source: Redis documentation, "Client-side caching in Redis".

import { type Client, Connection, type ConnectionOptions } from './connection.js';

const invalidations = '__redis__:invalidate';

/** Watches keys of one host. The second connection is opened when the first key is watched. */
export class KeyWatch {
  readonly #commands: Connection;
  readonly #notices: Connection;
  readonly #listeners = new Map<string, Set<() => void>>();
  /** The sessions of both connections between which tracking was set up. */
  #tracking: { readonly sessions: string; readonly done: Promise<unknown> } | undefined;
  #subscribed: { readonly client: Client; readonly id: Promise<number> } | undefined;

  constructor(commands: Connection, connection: ConnectionOptions) {
    this.#commands = commands;
    this.#notices = new Connection({
      ...connection,
      onServer: undefined,
      // What happened without it is not told later.
      onChange: () => this.tellAll(),
    });
  }

  /** Calls back when one of the keys may have changed, once each time that it was armed. The result ends that. */
  listen(keys: readonly string[], onChange: () => void): () => void {
    for (const key of keys) {
      const listeners = this.#listeners.get(key) ?? new Set();
      listeners.add(onChange);
      this.#listeners.set(key, listeners);
    }
    return () => {
      for (const key of keys) {
        const listeners = this.#listeners.get(key);
        listeners?.delete(onChange);
        if (listeners?.size === 0) this.#listeners.delete(key);
      }
    };
  }

  /**
   * Has the next change of each of the keys told. Resolves when that is certain: look then, and wait when there is
   * nothing.
   *
   * @throws LayerUnavailableError, also where the server may not be asked for it
   */
  async arm(keys: readonly string[]): Promise<void> {
    await this.#track();
    await this.#commands.run((client) => {
      // Each CACHING is for the one command after it, which reads so that the key counts as read.
      const replies = keys.flatMap((key) => [client.call('CLIENT', 'CACHING', 'YES'), client.exists(key)]);
      return Promise.all(replies);
    });
  }

  /** Has everyone look: after a reconnect, for which nothing is tracked any more. */
  tellAll(): void {
    for (const listeners of [...this.#listeners.values()]) for (const tell of [...listeners]) tell();
  }

  close(): void {
    this.#notices.close();
  }

  async #track(): Promise<void> {
    const id = await this.#notices.run((client) => this.#subscribe(client));
    await this.#commands.run((client) => {
      const sessions = `${this.#commands.session} ${this.#notices.session}`;
      if (this.#tracking?.sessions !== sessions) {
        const done = client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'OPTIN');
        this.#tracking = { sessions, done };
        done.catch(() => {
          this.#tracking = undefined;
        });
      }
      return this.#tracking.done;
    });
  }

  #subscribe(client: Client): Promise<number> {
    if (this.#subscribed?.client === client) return this.#subscribed.id;
    client.on('messageBuffer', (_channel: Buffer, keys: unknown) => this.#tell(keys));
    const id = client.client('ID').then(async (number) => {
      await client.subscribe(invalidations);
      return number;
    });
    this.#subscribed = { client, id };
    return id;
  }

  /** The keys, or nothing when all are gone. */
  #tell(keys: unknown): void {
    if (!Array.isArray(keys)) {
      this.tellAll();
      return;
    }
    for (const key of keys) for (const tell of [...(this.#listeners.get(String(key)) ?? [])]) tell();
  }
}
