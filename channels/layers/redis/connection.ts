// One connection to Redis that comes back by itself, and on which nothing waits longer than it was told.

import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { LayerClosedError, LayerUnavailableError } from '../../errors.js';
import { WaitingQueue } from '../../waiting-queue.js';
import type { Address } from './address.js';
import { isElsewhere, isReplyError, isTemporary, reasonOf } from './replies.js';
import { watchReplies } from './reply-watch.js';
import { type ScriptCommands, scripts } from './scripts.js';
import { parseServerInfo, type ServerInfo } from './server-info.js';

export type Client = Redis & ScriptCommands;

/** A server went away or came back. */
export interface ConnectionChange {
  /** The server's name, without anything secret. */
  readonly host: string;
  readonly connected: boolean;
  /** Why it is away. */
  readonly error?: LayerUnavailableError;
}

export interface ConnectionOptions {
  readonly address: Address;
  /** Milliseconds that `run` waits for a connection, and that one attempt to make it may take. */
  readonly connectWithinMs: number;
  /** Milliseconds without any reply after which a connection with commands under way counts as dead. */
  readonly replyWithinMs: number;
  /** Told once when the server cannot be used and once when it can again. */
  readonly onChange?: ((change: ConnectionChange) => void) | undefined;
  /** Told with every connection what the server says of itself. */
  readonly onServer?: ((info: ServerInfo) => void) | undefined;
}

/** So many callers of `run` may wait for a connection; more are refused at once. */
const maxWaiting = 1000;
const firstRetryMs = 50;
const longestRetryMs = 2000;

/**
 * Opens with the first use and tries again for ever when it is lost, after 50 ms to 2 s; a server that loads its data or
 * is a read-only replica counts as away. A command is sent once or not at all, never again after a reconnect: only its
 * sender can know whether it may be done twice. The one exception is what Redis refused since another server is the
 * right one now, if the address can tell which.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  /** The client while it is ready, and while it is being made. */
  #client: Client | undefined;
  #making: Client | undefined;
  #running: Promise<void> | undefined;
  /** Those who wait for the connection. */
  readonly #arrivals = new WaitingQueue<Client>();
  readonly #closing = new AbortController();
  #session = 0;
  /** What was last wrong. */
  #problem: Error | undefined;
  #reportedAway = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Another number for every time that the connection was made. */
  get session(): number {
    return this.#session;
  }

  /** Whether a command can be sent at once. */
  get isReady(): boolean {
    return this.#client?.status === 'ready';
  }

  /** Whether it was tried to reach the server, in vain or until it was lost. */
  get isAway(): boolean {
    return this.#reportedAway;
  }

  /** Waits for the connection, for ever. @throws LayerUnavailableError when the server lets us in no more */
  async ready(signal?: AbortSignal): Promise<Client> {
    if (this.#isClosed) throw new LayerClosedError();
    if (this.#client?.status === 'ready') return this.#client;
    const arrived = this.#arrivals.take(signal);
    this.#running ??= this.#stayConnected();
    return arrived;
  }

  /**
   * Runs a command, waiting for the connection within the set time.
   *
   * @throws LayerUnavailableError when there is none, when the reply does not come, or when Redis refuses
   */
  async run<T>(command: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await this.#runOnce(command, signal);
    } catch (error) {
      if (!(error instanceof LayerUnavailableError)) throw error;
      if (error.cause instanceof WrongServer && this.#options.address.moves)
        return await this.#runOnce(command, signal);
      // A caller that tries again at once must not keep the event loop from seeing that the connection has ended.
      await turn();
      throw error;
    }
  }

  async #runOnce<T>(command: (client: Client) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const client = this.#client?.status === 'ready' ? this.#client : await this.#readySoon(signal);
    try {
      return await command(client);
    } catch (error) {
      if (this.#isClosed) throw new LayerClosedError();
      if (isReplyError(error) && isElsewhere(error)) this.leave(client, error);
      throw this.unavailable(error);
    }
  }

  async #readySoon(signal: AbortSignal | undefined): Promise<Client> {
    if (this.#arrivals.waiting >= maxWaiting) throw this.unavailable(this.#problem);
    const timeout = AbortSignal.timeout(this.#options.connectWithinMs);
    try {
      return await this.ready(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
    } catch (error) {
      signal?.throwIfAborted();
      throw timeout.aborted ? this.unavailable(this.#problem) : error;
    }
  }

  /** Makes an error of whatever the client library says, without the command's arguments, which may be secret. */
  unavailable(error: unknown): LayerUnavailableError {
    // What the library says of a command whose connection broke is about its own retries.
    const why = isReplyError(error) ? error : (this.#problem ?? error);
    const { name } = this.#options.address;
    if (!isReplyError(why))
      return new LayerUnavailableError(`Redis at ${name} cannot be reached: ${textOf(why)}`, { cause: why });
    const cause = isElsewhere(why) ? new WrongServer(why.message) : new Error(why.message);
    return new LayerUnavailableError(`Redis at ${name} refused: ${why.message}`, {
      cause,
      reason: reasonOf(why),
    });
  }

  /** Uses the client no more, since another server is the right one now; what is under way on it is answered. */
  leave(client: Client, why: Error): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#problem = why;
    this.#reportAway();
    client.quit().catch(() => client.stream?.destroy());
  }

  /** Ends the connection, and whoever waits for it or on it. Safe to call twice. */
  close(): void {
    this.#closing.abort();
    this.#arrivals.fail(new LayerClosedError());
    for (const client of [this.#client, this.#making]) {
      client?.disconnect();
      // A server that hangs would not answer the polite end of the stream.
      client?.stream?.destroy();
    }
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      failures = (await this.#connectOnce()) ? 1 : failures + 1;
      // Rejects when it is closed meanwhile, which the loop sees.
      await pause(retryAfterMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Makes a connection and waits for its end. Returns whether it could be used. */
  async #connectOnce(): Promise<boolean> {
    let client: Client | undefined;
    let deadline: NodeJS.Timeout | undefined;
    try {
      client = await this.#newClient();
      deadline = setTimeout(() => this.#making?.stream?.destroy(), this.#options.connectWithinMs);
      const ended = new Promise((resolve) => client?.once('end', resolve));
      this.#making = client;
      const info = await this.#enter(client);
      clearTimeout(deadline);
      this.#making = undefined;
      this.#welcome(client, info);
      await ended;
      return true;
    } catch (error) {
      this.#giveUp(error);
      return false;
    } finally {
      clearTimeout(deadline);
      this.#making = undefined;
      client?.stream?.destroy();
    }
  }

  async #newClient(): Promise<Client> {
    const { Redis } = await import('ioredis');
    const { address, connectWithinMs, replyWithinMs } = this.#options;
    const endpoint = await address.locate(this.#closing.signal);
    this.#closing.signal.throwIfAborted();
    const client = new Redis({
      ...endpoint,
      protocol: 2,
      scripts,
      lazyConnect: true,
      connectTimeout: connectWithinMs,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    }) as Client;
    watchReplies(client, replyWithinMs, () =>
      client.stream.destroy(new Error(`no reply came within ${replyWithinMs} ms`)),
    );
    return client;
  }

  /** Rejects when the server cannot be used. */
  async #enter(client: Client): Promise<ServerInfo> {
    // An event tells more of a failure than the rejection of the command that it has ended.
    let problem: Error | undefined;
    client.on('error', (error: Error) => {
      problem = error;
      this.#problem = error;
    });
    try {
      await client.connect();
      // A database that does not exist, of which the library only tells: it would go on in database 0.
      if (problem !== undefined) throw problem;
      const info = parseServerInfo(await client.info());
      if (info.isLoading) throw replyError('LOADING Redis is loading the dataset in memory');
      if (info.isReadOnly) throw replyError('READONLY it is a replica');
      return info;
    } catch (error) {
      if (isReplyError(error) && error.message.startsWith('NOPERM')) return parseServerInfo('');
      throw problem ?? error;
    }
  }

  #welcome(client: Client, info: ServerInfo): void {
    client.once('close', () => this.#onClose(client));
    this.#session++;
    this.#problem = undefined;
    this.#client = client;
    while (this.#arrivals.waiting > 0) this.#arrivals.put(client);
    const { address, onChange, onServer } = this.#options;
    if (this.#reportedAway) onChange?.({ host: address.name, connected: true });
    this.#reportedAway = false;
    onServer?.(info);
  }

  #onClose(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#reportAway();
  }

  #giveUp(error: unknown): void {
    if (this.#isClosed) return;
    this.#problem = error instanceof Error ? error : new Error(String(error));
    this.#reportAway();
    if (isReplyError(error) && !isTemporary(error)) this.#arrivals.fail(this.unavailable(error));
  }

  #reportAway(): void {
    if (this.#isClosed || this.#reportedAway) return;
    this.#reportedAway = true;
    const error = this.unavailable(this.#problem ?? new Error('the connection was lost'));
    this.#options.onChange?.({ host: this.#options.address.name, connected: false, error });
  }
}

/** Redis did nothing, since another server is the right one now. */
class WrongServer extends Error {}

function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

function retryAfterMs(failures: number): number {
  const delayMs = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 16), longestRetryMs);
  // Processes that lost the server in the same moment do not all come back in the same one.
  return delayMs * (0.75 + Math.random() / 4);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no connection yet';
  // Where a name has several addresses, the error that joins theirs has no text, only a code.
  return error.message || ('code' in error ? String(error.code) : error.name);
}
