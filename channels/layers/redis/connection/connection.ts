// One connection to Redis. ioredis connects, reconnects and finds the master; this file turns its failures
// into errors of the layer.

import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { LayerClosedError, LayerUnavailableError } from '../../../errors.js';
import { waitAtMost } from '../../../waiting/wait-at-most.js';
import { WaitingQueue } from '../../../waiting/waiting-queue.js';
import { type ScriptCommands, scripts } from '../scripts.js';
import type { Address } from './hosts.js';
import { isElsewhere, isReplyError, isTemporary, type ReplyError, reasonOf, replyError } from './replies.js';
import { watchSentinels } from './sentinel-watch.js';

/** A client of a server or of a cluster, which has the same commands. */
export type Client = Redis & ScriptCommands;

/** A server went away or came back. */
export interface ConnectionChange {
  /** The server's name, without secrets. */
  readonly host: string;
  readonly connected: boolean;
  /** The reason why it is away. */
  readonly error?: LayerUnavailableError;
}

export interface ConnectionOptions {
  readonly address: Address;
  /** The time limit in milliseconds of `run` for a connection, and of one attempt to connect. */
  readonly timeoutMs: number;
  /** Milliseconds without a reply after which a connection with pending commands counts as dead. */
  readonly replyWithinMs: number;
  /** Called once when the server becomes unusable, and once when it is usable again. */
  readonly onChange?: ((change: ConnectionChange) => void) | undefined;
  /** Called for every new connection. */
  readonly onReady?: ((facts: ServerFacts) => void) | undefined;
}

/** What a server reports about itself, as far as this user may ask. */
export interface ServerFacts {
  /**
   * The `maxmemory-policy` that lets the server evict keys when memory is short; undefined if there is none.
   */
  readonly evictionPolicy?: string | undefined;
  /** Its clock in milliseconds since 1970, with this machine's clock before and after the question. */
  readonly clock?:
    | { readonly serverMs: number; readonly askedAt: number; readonly toldAt: number }
    | undefined;
}

/** The most callers of `run` that wait for a connection; more are refused at once. */
const maxWaiting = 1000;
const firstRetryMs = 50;
const longestRetryMs = 2000;

/**
 * Connects on first use, and always reconnects. A server that loads its data or is a read-only replica counts
 * as away. A command is sent at most once, never again after a reconnect: only its caller knows whether it
 * may run twice.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  /** Whether the server of the current connection is usable. */
  #isWelcome = false;
  readonly #arrivals = new WaitingQueue<Client>();
  #failures = 0;
  /** The last problem. */
  #problem: Error | undefined;
  #isAway = false;
  #heardAt: number | undefined;
  #isCorked = false;
  #stopWatch: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Whether a command can be sent now. */
  get isReady(): boolean {
    return this.#isWelcome && this.#client?.status === 'ready';
  }

  /** Whether a connection has failed or was lost. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** When the server last accepted the connection or answered, in milliseconds of `performance.now`. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** Notes an answer or a message of the server. `run` does this itself. */
  noteHeard(): void {
    this.#heardAt = performance.now();
  }

  /**
   * Waits for the connection without a limit. @throws LayerUnavailableError when the server refuses access
   * for good
   */
  async ready(signal?: AbortSignal): Promise<Client> {
    if (this.#isClosed) throw new LayerClosedError();
    if (this.#client !== undefined && this.isReady) return this.#client;
    const arrived = this.#arrivals.take(signal);
    this.#opening ??= this.#open().catch((error: unknown) => {
      // The package was removed while the process runs, as in a deployment.
      this.#opening = undefined;
      this.#arrivals.fail(error);
    });
    return arrived;
  }

  /**
   * Runs a command, after waiting for the connection within the time limit.
   *
   * @throws LayerUnavailableError when there is none, when the reply does not come, or when Redis refuses
   */
  async run<T>(command: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    let isSent = false;
    try {
      const client =
        this.#client !== undefined && this.isReady ? this.#client : await this.#readySoon(signal);
      this.#cork(client);
      isSent = true;
      const reply = await command(client);
      this.noteHeard();
      return reply;
    } catch (error) {
      if (this.#isClosed) throw new LayerClosedError();
      // An abort promises that nothing was done, which is unknown for a sent command.
      if (!isSent) signal?.throwIfAborted();
      if (error instanceof TypeError) throw error;
      if (isReplyError(error) && isElsewhere(error)) this.#problem = error;
      // A caller that retries at once must not keep the event loop from noticing the lost connection.
      await turn();
      throw error instanceof LayerUnavailableError ? error : this.unavailable(error);
    }
  }

  /**
   * Turns an error of the client library into an error of the layer, without the command's arguments, which
   * may be secret.
   */
  unavailable(error: unknown): LayerUnavailableError {
    // For a broken connection the library reports only its own retries.
    const why = isReplyError(error) ? error : (this.#problem ?? new Error(this.#withoutAnswer()));
    const { name } = this.#options.address;
    if (!isReplyError(why))
      return new LayerUnavailableError(`Redis at ${name} cannot be reached: ${textOf(why)}`, { cause: why });
    return new LayerUnavailableError(`Redis at ${name} refused: ${why.message}`, {
      cause: new Error(why.message),
      reason: reasonOf(why),
    });
  }

  /** Closes the connection and ends all waits. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#arrivals.fail(new LayerClosedError());
    this.#stopWatch?.();
    this.#client?.disconnect();
    // A server that hangs would not answer the polite end of the stream.
    this.#client?.stream?.destroy();
  }

  /** A first connection may take long on a busy machine. */
  #withoutAnswer(): string {
    const { timeoutMs } = this.#options;
    return this.#heardAt === undefined ? `no answer within ${timeoutMs} ms` : 'the connection was lost';
  }

  async #readySoon(signal: AbortSignal | undefined): Promise<Client> {
    if (this.#arrivals.waiting >= maxWaiting) throw this.unavailable(undefined);
    const { timeoutMs } = this.#options;
    const [client] = await waitAtMost(timeoutMs, signal, async (signal) => [await this.ready(signal)]);
    if (client === undefined) throw this.unavailable(undefined);
    return client;
  }

  /** The commands of one turn of the event loop go to the socket together. */
  #cork({ stream }: Client): void {
    // A cluster has no stream of its own.
    if (this.#isCorked || stream === undefined) return;
    this.#isCorked = true;
    stream.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }

  async #open(): Promise<void> {
    const client = await this.#newClient();
    if (this.#isClosed) return;
    this.#client = client;
    client.on('error', (error: Error) => this.#onError(client, error));
    client.on('sentinelError', (error: Error) => {
      this.#problem = error;
    });
    client.on('ready', () => void this.#enter(client));
    client.on('close', () => {
      this.#isWelcome = false;
      this.#reportAway();
    });
    // An event reports the failure.
    client.connect().catch(() => undefined);
  }

  async #newClient(): Promise<Client> {
    const { Cluster, Redis } = await import('ioredis');
    const { address, timeoutMs, replyWithinMs } = this.#options;
    const retry = () => retryAfterMs(++this.#failures);
    const common = { lazyConnect: true, enableOfflineQueue: false, scripts };
    const options = {
      ...address.options,
      protocol: 2 as const,
      connectTimeout: timeoutMs,
      socketTimeout: replyWithinMs,
      sentinelCommandTimeout: timeoutMs,
      disableClientInfo: true,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
    };
    if (address.cluster === undefined) {
      const client = new Redis({
        ...options,
        ...common,
        enableReadyCheck: false,
        retryStrategy: retry,
        sentinelRetryStrategy: retry,
        reconnectOnError: (error: Error) => isReplyError(error) && isElsewhere(error),
      }) as Client;
      // A server that hangs would not answer the polite end of the stream.
      if (!this.#isClosed)
        this.#stopWatch = watchSentinels(Redis, address.options, () => client.stream?.destroy());
      return client;
    }
    const cluster = new Cluster([...address.cluster], {
      ...common,
      redisOptions: options,
      clusterRetryStrategy: retry,
      slotsRefreshTimeout: timeoutMs,
    });
    return cluster as unknown as Client;
  }

  #onError(client: Client, error: Error): void {
    const isFromSentinel = error.message.startsWith('All sentinels are unreachable');
    if (!isFromSentinel || this.#problem === undefined) this.#problem = error;
    if (isFromSentinel) this.#reportAway();
    if (!isReplyError(error) || isTemporary(error)) return;
    this.#arrivals.fail(this.unavailable(error));
    // For example a database that does not exist: the library would go on in database 0.
    client.disconnect(true);
  }

  /** A new connection: checks whether the server is usable. */
  async #enter(client: Client): Promise<void> {
    try {
      const askedAt = Date.now();
      const info = this.#options.address.cluster === undefined ? await client.info() : '';
      if (/^loading:1\r?$/m.test(info)) throw replyError('LOADING Redis is loading the dataset in memory');
      if (/^role:slave\r?$/m.test(info) && !/^slave_read_only:0\r?$/m.test(info))
        throw replyError('READONLY it is a replica');
      this.#welcome(client, factsOf(info, askedAt));
    } catch (error) {
      if (!isReplyError(error)) return;
      if (error.message.startsWith('NOPERM')) this.#welcome(client, {});
      else this.#refuse(client, error);
    }
  }

  #refuse(client: Client, error: ReplyError): void {
    this.#problem = error;
    this.#reportAway();
    if (!isTemporary(error)) this.#arrivals.fail(this.unavailable(error));
    client.disconnect(true);
  }

  #welcome(client: Client, facts: ServerFacts): void {
    if (client.status !== 'ready' || this.#isClosed) return;
    this.noteHeard();
    this.#isWelcome = true;
    this.#failures = 0;
    this.#problem = undefined;
    const { address, onChange, onReady } = this.#options;
    onReady?.(facts);
    if (this.#isAway) onChange?.({ host: address.name, connected: true });
    this.#isAway = false;
    while (this.#arrivals.waiting > 0) this.#arrivals.put(client);
  }

  #reportAway(): void {
    if (this.#isClosed || this.#isAway) return;
    this.#isAway = true;
    const error = this.unavailable(undefined);
    this.#options.onChange?.({ host: this.#options.address.name, connected: false, error });
  }
}

function factsOf(info: string, askedAt: number): ServerFacts {
  const [, maxmemory = '0'] = /^maxmemory:(\d+)/m.exec(info) ?? [];
  const [, policy] = /^maxmemory_policy:(\S+)/m.exec(info) ?? [];
  const [, microseconds] = /^server_time_usec:(\d+)/m.exec(info) ?? [];
  return {
    evictionPolicy: maxmemory === '0' || policy === 'noeviction' ? undefined : policy,
    clock: microseconds ? { serverMs: Number(microseconds) / 1000, askedAt, toldAt: Date.now() } : undefined,
  };
}

function retryAfterMs(failures: number): number {
  const delayMs = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 16), longestRetryMs);
  // Processes that lost the server at the same moment must not all return at once.
  return delayMs * (0.75 + Math.random() / 4);
}

function textOf(error: Error): string {
  // For a name with several addresses, the joined error has a code but no text.
  return error.message || ('code' in error ? String(error.code) : error.name);
}
