// One connection to Redis that comes back by itself, and on which nothing waits longer than it was told.

import type { Redis } from 'ioredis';
import { LayerClosedError, LayerUnavailableError } from '../../errors.js';
import { WaitingQueue } from '../../waiting-queue.js';
import type { Address } from './address.js';
import { type ScriptCommands, scripts } from './scripts.js';

export type Client = Redis & ScriptCommands;

/** The server went away or came back. */
export interface ConnectionChange {
  readonly connected: boolean;
  /** Why it is away. */
  readonly error?: LayerUnavailableError;
}

export interface ConnectionOptions {
  readonly address: Address;
  /** Milliseconds that `run` waits for a connection. */
  readonly connectWithinMs: number;
  /** Milliseconds without any reply after which a connection with commands under way counts as dead. */
  readonly replyWithinMs: number;
  /** Told once when the server cannot be reached and once when it can again. */
  readonly onChange?: ((change: ConnectionChange) => void) | undefined;
}

/** So many callers of `run` may wait for a connection; more are refused at once. */
const maxWaiting = 1000;
const firstRetryMs = 50;
const longestRetryMs = 2000;

/**
 * Opens with the first use and tries again for ever when it is lost, after 50 ms to 2 s. A command is sent once or
 * not at all, never again after a reconnect: only its sender can know whether it may be done twice.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  /** Those who wait for the connection. */
  readonly #arrivals = new WaitingQueue<Client>();
  #session = 0;
  #lastError: Error | undefined;
  #reportedAway = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Another number for every time that the connection was made. */
  get session(): number {
    return this.#session;
  }

  /** Waits for the connection, for ever. @throws LayerUnavailableError when the server lets us in no more */
  async ready(signal?: AbortSignal): Promise<Client> {
    if (this.#closed) throw new LayerClosedError();
    if (this.#client?.status === 'ready') return this.#client;
    const arrived = this.#arrivals.take(signal);
    this.#open();
    return arrived;
  }

  /**
   * Runs a command, waiting for the connection within the set time.
   *
   * @throws LayerUnavailableError when there is none, when the reply does not come, or when Redis refuses
   */
  async run<T>(command: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const client = this.#client?.status === 'ready' ? this.#client : await this.#readySoon(signal);
    try {
      return await command(client);
    } catch (error) {
      throw this.#closed ? new LayerClosedError() : this.unavailable(error);
    }
  }

  async #readySoon(signal: AbortSignal | undefined): Promise<Client> {
    if (this.#arrivals.waiting >= maxWaiting) throw this.unavailable(this.#lastError);
    const timeout = AbortSignal.timeout(this.#options.connectWithinMs);
    try {
      return await this.ready(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
    } catch (error) {
      signal?.throwIfAborted();
      throw timeout.aborted ? this.unavailable(this.#lastError) : error;
    }
  }

  /** Makes an error of whatever the client library says, without the command's arguments, which may be secret. */
  unavailable(error: unknown): LayerUnavailableError {
    const name = this.#options.address.name;
    if (isReplyError(error)) {
      const cause = new Error(error.message);
      return new LayerUnavailableError(`Redis at ${name} refused: ${error.message}`, { cause });
    }
    // What the library says of a command whose connection broke is about its own retries.
    const why = this.#lastError ?? error;
    return new LayerUnavailableError(`Redis at ${name} cannot be reached: ${reason(why)}`, { cause: why });
  }

  /** Ends the connection, and whoever waits for it or on it. Safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#arrivals.fail(new LayerClosedError());
    this.#client?.disconnect();
    // A server that hangs would not answer the polite end of the stream.
    this.#client?.stream?.destroy();
  }

  #open(): void {
    if (this.#client !== undefined) return;
    this.#opening ??= this.#connect()
      .catch((error: unknown) => this.#arrivals.fail(error))
      .finally(() => {
        this.#opening = undefined;
      });
  }

  async #connect(): Promise<void> {
    const { Redis } = await import('ioredis');
    if (this.#closed) return;
    const { address, connectWithinMs, replyWithinMs } = this.#options;
    const client = new Redis({
      ...address.connect,
      protocol: 2,
      scripts,
      connectTimeout: connectWithinMs,
      socketTimeout: replyWithinMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      maxLoadingRetryTime: 1000,
      retryStrategy: retryAfterMs,
    }) as Client;
    client.on('ready', () => this.#onReady(client));
    client.on('error', (error: Error) => this.#onError(client, error));
    client.on('close', () => this.#reportAway());
    client.on('end', () => this.#onEnd(client));
    this.#client = client;
  }

  #onReady(client: Client): void {
    this.#session++;
    this.#lastError = undefined;
    while (this.#arrivals.waiting > 0) this.#arrivals.put(client);
    if (this.#reportedAway) this.#options.onChange?.({ connected: true });
    this.#reportedAway = false;
  }

  #onError(client: Client, error: Error): void {
    this.#lastError = error;
    if (!isReplyError(error)) return;
    // The library would go on in database 0.
    if (error.command?.name === 'select') client.disconnect(true);
    if (!isTemporary(error)) this.#arrivals.fail(this.unavailable(error));
  }

  #reportAway(): void {
    if (this.#closed || this.#reportedAway) return;
    this.#reportedAway = true;
    const error = this.unavailable(this.#lastError ?? new Error('the connection was lost'));
    this.#options.onChange?.({ connected: false, error });
  }

  /** The library gave up, for instance since a socket could not be made at all. The next use begins anew. */
  #onEnd(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (!this.#closed) this.#arrivals.fail(this.unavailable(this.#lastError));
  }
}

/** An error that Redis answered with. The library attaches the whole command to it. */
interface ReplyError extends Error {
  readonly command?: { readonly name: string };
}

export function isReplyError(error: unknown): error is ReplyError {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Whether Redis will say otherwise by itself soon, unlike a wrong password or a key of another type. */
export function isTemporary(error: ReplyError): boolean {
  return !permanentRefusal.test(error.message);
}

const permanentRefusal =
  /^(DENIED|NOAUTH|NOPERM|WRONGPASS|WRONGTYPE|ERR (AUTH|DB index|invalid password|unknown command))\b/;

function retryAfterMs(attempt: number): number {
  const delayMs = Math.min(firstRetryMs * 2 ** Math.min(attempt - 1, 16), longestRetryMs);
  // Processes that lost the server in the same moment do not all come back in the same one.
  return delayMs * (0.75 + Math.random() / 4);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'no connection yet';
  // Where a name has several addresses, the error that joins theirs has no text, only a code.
  return error.message || ('code' in error ? String(error.code) : error.name);
}
