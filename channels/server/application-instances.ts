// The application instances that run, one for each request and socket.

import type { Application, Receive, Scope, Send } from '../application.js';
import { ClientGoneError, StopConsumer } from '../errors.js';
import { asError } from './events.js';

/** A connection as long as its application runs. */
export interface Connection {
  readonly path: string;
  /** When the client left, in milliseconds since 1970; undefined while it is there. */
  readonly goneAt: number | undefined;
  /** Makes `receive` end the application. */
  stop(): void;
  /** Asks the client to leave, as the server is stopping. */
  shutDown(): void;
  /** Breaks the connection off. */
  terminate(): void;
  /** Ends what takes too long; called now and then. */
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

  /** Runs an instance to its end. @returns its error; undefined also when it only missed its client */
  async run(connection: Connection, scope: Scope, receive: Receive, send: Send): Promise<Error | undefined> {
    this.#running.add(connection);
    try {
      await this.#application(scope, receive, send);
      return undefined;
    } catch (error) {
      return error instanceof StopConsumer || error instanceof ClientGoneError ? undefined : asError(error);
    } finally {
      this.#forget(connection);
    }
  }

  /** Ends instances that go on for more than so long after their client has left; what does not end is let go. */
  sweep(now: number, applicationMs: number): void {
    for (const connection of this.#running) {
      connection.sweep?.(now);
      const goneMs = connection.goneAt === undefined ? 0 : now - connection.goneAt;
      if (goneMs > applicationMs) this.#give(connection, goneMs);
    }
  }

  shutDown(): void {
    for (const connection of this.#running) connection.shutDown();
  }

  /** Resolves when none runs any more. */
  async ended(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Breaks all connections off, and no longer waits for the instances. */
  breakOff(afterMs: number): void {
    for (const connection of this.#running) {
      connection.terminate();
      this.#give(connection, afterMs);
    }
  }

  #give(connection: Connection, afterMs: number): void {
    connection.stop();
    // An instance that only waited to receive ends now, and is not stuck.
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
