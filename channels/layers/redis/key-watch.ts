// How one who waits without a blocked read learns that a key has changed, whoever changed it.
//
// A blocked read takes what it finds, and a receiver that dies in that moment takes it along. For messages on lease
// that must not happen, so they are taken by a script, which cannot wait. The server tells when to look: it tracks the
// keys that a connection has read for a client-side cache (CLIENT TRACKING, Redis 6), and tells the first change of
// each to another connection. Nothing is set up on the server, and Python's ZADD is noticed like any other.
//
// Source: Redis documentation, "Client-side caching in Redis".

import { Connection, type ConnectionOptions } from './connection.js';

const invalidations = '__redis__:invalidate';

/** Watches keys of one host. The second connection is opened when the first key is watched. */
export class KeyWatch {
  readonly #commands: Connection;
  readonly #notices: Connection;
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Resolves when tracking is set up between the two connections that there are. */
  #tracking: Promise<unknown> | undefined;

  constructor(commands: Connection, options: ConnectionOptions) {
    this.#commands = commands;
    // What happened without a connection is not told later.
    this.#notices = new Connection({ ...options, onReady: () => this.reset(), onChange: () => this.reset() });
  }

  /** Calls back whenever one of the keys, being armed, may have changed. The result ends that. */
  listen(keys: readonly string[], onChange: () => void): () => void {
    for (const key of keys) this.#listeners.set(key, (this.#listeners.get(key) ?? new Set()).add(onChange));
    return () => {
      for (const key of keys) {
        const listeners = this.#listeners.get(key);
        listeners?.delete(onChange);
        if (listeners?.size === 0) this.#listeners.delete(key);
      }
    };
  }

  /**
   * Has the next change of each of the keys told. Resolves when that is certain, with whether the server can do it:
   * look then, and wait when there is nothing.
   *
   * @throws LayerUnavailableError, also where the server may not be asked for it
   */
  async arm(keys: readonly string[]): Promise<boolean> {
    // A cluster has a connection for each node, and none that is ours to track with.
    if (this.#commands.isCluster) return false;
    this.#tracking ??= this.#track();
    await this.#tracking.catch((error: unknown) => {
      this.#tracking = undefined;
      throw error;
    });
    await this.#commands.run((client) =>
      // Each CACHING is for the one command after it, which reads so that the key counts as read.
      Promise.all(keys.flatMap((key) => [client.call('CLIENT', 'CACHING', 'YES'), client.exists(key)])),
    );
    return true;
  }

  /** Tracks anew, and has everyone look: after a reconnect, for which nothing is tracked any more. */
  reset(): void {
    this.#tracking = undefined;
    this.#tell([...this.#listeners.keys()]);
  }

  close(): void {
    this.#notices.close();
  }

  async #track(): Promise<void> {
    const id = await this.#notices.run(async (client) => {
      client.removeAllListeners('messageBuffer');
      // The keys, or nothing when all are gone.
      client.on('messageBuffer', (_channel: Buffer, keys: unknown) =>
        this.#tell(Array.isArray(keys) ? keys.map(String) : [...this.#listeners.keys()]),
      );
      const number = await client.client('ID');
      await client.subscribe(invalidations);
      return number;
    });
    await this.#commands.run((client) =>
      client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'OPTIN'),
    );
  }

  #tell(keys: readonly string[]): void {
    for (const key of keys) for (const tell of [...(this.#listeners.get(key) ?? [])]) tell();
  }
}
