// The application instances that run, one for each request and socket.

import type { Application, Receive, Scope, Send } from '../application.js';
import { ClientGoneError, StopConsumer } from '../errors.js';
import { asError } from './events.js';

/** A connection from its request until its application instance ends. */
export interface Connection {
  readonly path: string;
  /** When the client left, in milliseconds since 1970; undefined while it is there. */
  readonly goneAt: number | undefined;
  readonly receive: Receive;
  readonly send: Send;
  /** From now on `receive` ends the instance, with StopConsumer. */
  stop(): void;
  /** Asks the client to leave, because the server stops. */
  shutDown(): void;
  /** Closes the connection without a word to the client. */
  terminate(): void;
  /** Called about once a second: ends what takes too long. */
  sweep?(now: number): void;
}

/** Runs instances, and knows which still run. */
export class ApplicationInstances {
  readonly #application: Application;
  readonly #running = new Set<Connection>();
  readonly #onStuck: (path: string, afterMs: number) => void;
  #onEmpty: (() => void) | undefined;

  constructor(application: Application, onStuck: (path: string, afterMs: number) => void) {
    this.#application = application;
    this.#onStuck = onStuck;
  }

  /** Runs an instance to its end. @returns its error; undefined also when it ended because its client left */
  async run(connection: Connection, scope: Scope): Promise<Error | undefined> {
    this.#running.add(connection);
    try {
      await this.#application(scope, connection.receive, connection.send);
      return undefined;
    } catch (error) {
      return error instanceof StopConsumer || error instanceof ClientGoneError ? undefined : asError(error);
    } finally {
      this.#forget(connection);
    }
  }

  /** Ends instances that still run `applicationMs` after their client has left. */
  sweep(now: number, applicationMs: number): void {
    for (const connection of this.#running) {
      connection.sweep?.(now);
      const goneMs = connection.goneAt === undefined ? 0 : now - connection.goneAt;
      if (goneMs > applicationMs) this.#end(connection, goneMs);
    }
  }

  shutDown(): void {
    for (const connection of this.#running) connection.shutDown();
  }

  /** Resolves when no instance runs any more. */
  async ended(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Terminates all connections and ends their instances. */
  terminate(afterMs: number): void {
    for (const connection of this.#running) {
      connection.terminate();
      this.#end(connection, afterMs);
    }
  }

  /** Ends an instance. If it does not end now, the server reports it and no longer waits for it. */
  #end(connection: Connection, afterMs: number): void {
    connection.stop();
    // An instance that only waits in `receive` ends before this.
    setImmediate(() => {
      if (!this.#running.has(connection)) return;
      this.#onStuck(connection.path, afterMs);
      this.#forget(connection);
    });
  }

  #forget(connection: Connection): void {
    this.#running.delete(connection);
    if (this.#running.size === 0) this.#onEmpty?.();
  }
}
