// One connection to Redis. ioredis makes it, makes it again and finds the master; here its failures become our errors.

import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { LayerClosedError, LayerUnavailableError } from '../../../errors.js';
import { patiently } from '../../../waiting/patience.js';
import { WaitingQueue } from '../../../waiting/waiting-queue.js';
import { type ScriptCommands, scripts } from '../scripts.js';
import type { Address } from './hosts.js';
import { isElsewhere, isReplyError, isTemporary, type ReplyError, reasonOf, replyError } from './replies.js';
import { watchSentinels } from './sentinel-watch.js';

/** A client of a server, or of a cluster, which has the same commands. */
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
  readonly timeoutMs: number;
  /** Milliseconds without any reply after which a connection with commands under way counts as dead. */
  readonly replyWithinMs: number;
  /** Told once when the server cannot be used and once when it can again. */
  readonly onChange?: ((change: ConnectionChange) => void) | undefined;
  /** Told with every connection that was made. */
  readonly onReady?: ((facts: ServerFacts) => void) | undefined;
}

/** What a server says of itself, as far as we have the right to ask. */
export interface ServerFacts {
  /** The `maxmemory-policy` by which keys may be thrown away when memory gets short; undefined when none are. */
  readonly evictionPolicy?: string | undefined;
  /** Its clock, in ms since 1970, with this machine's before it was asked and after. */
  readonly clock?:
    | { readonly serverMs: number; readonly askedAt: number; readonly toldAt: number }
    | undefined;
}

/** So many callers of `run` may wait for a connection; more are refused at once. */
const maxWaiting = 1000;
const firstRetryMs = 50;
const longestRetryMs = 2000;

/**
 * Opens with the first use and comes back for ever when it is lost; a server that loads its data or is a read-only
 * replica counts as away. A command is sent once or not at all, never again after a reconnect: only its sender can
 * know whether it may be done twice.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  /** Whether the server of the connection that there is can be used. */
  #isWelcome = false;
  readonly #arrivals = new WaitingQueue<Client>();
  #failures = 0;
  /** What was last wrong. */
  #problem: Error | undefined;
  #isAway = false;
  #heardAt: number | undefined;
  #isCorked = false;
  #stopWatch: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Whether a command can be sent at once. */
  get isReady(): boolean {
    return this.#isWelcome && this.#client?.status === 'ready';
  }

  /** Whether it was tried to reach the server, in vain or until it was lost. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** When the server last let us in or answered, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** The server has answered, or sent something by itself. `run` notes that by itself. */
  noteHeard(): void {
    this.#heardAt = performance.now();
  }

  /** Waits for the connection, for ever. @throws LayerUnavailableError when the server lets us in no more */
  async ready(signal?: AbortSignal): Promise<Client> {
    if (this.#isClosed) throw new LayerClosedError();
    if (this.#client !== undefined && this.isReady) return this.#client;
    const arrived = this.#arrivals.take(signal);
    this.#opening ??= this.#open().catch((error: unknown) => {
      // Its package was removed under the process, as by a deployment.
      this.#opening = undefined;
      this.#arrivals.fail(error);
    });
    return arrived;
  }

  /**
   * Runs a command, waiting for the connection within the set time.
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
      // An abort says that nothing was done, which of a command that was sent nobody knows.
      if (!isSent) signal?.throwIfAborted();
      if (error instanceof TypeError) throw error;
      if (isReplyError(error) && isElsewhere(error)) this.#problem = error;
      // A caller that tries again at once must not keep the event loop from seeing that the connection has ended.
      await turn();
      throw error instanceof LayerUnavailableError ? error : this.unavailable(error);
    }
  }

  /** Makes an error of whatever the client library says, without the command's arguments, which may be secret. */
  unavailable(error: unknown): LayerUnavailableError {
    // What the library says of a command whose connection broke is about its own retries.
    const why = isReplyError(error) ? error : (this.#problem ?? new Error(this.#withoutAnswer()));
    const { name } = this.#options.address;
    if (!isReplyError(why))
      return new LayerUnavailableError(`Redis at ${name} cannot be reached: ${textOf(why)}`, { cause: why });
    return new LayerUnavailableError(`Redis at ${name} refused: ${why.message}`, {
      cause: new Error(why.message),
      reason: reasonOf(why),
    });
  }

  /** Ends the connection, and whoever waits for it or on it. Safe to call twice. */
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
    const [client] = await patiently(timeoutMs, signal, async (signal) => [await this.ready(signal)]);
    if (client === undefined) throw this.unavailable(undefined);
    return client;
  }

  /** What is sent in one turn of the event loop goes to the socket in one piece. */
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
    // Its failure is told by an event.
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
    // As for a database that does not exist, after which the library would go on in database 0.
    client.disconnect(true);
  }

  /** The connection is made: whether the server can be used it says itself. */
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
  // Processes that lost the server in the same moment do not all come back in the same one.
  return delayMs * (0.75 + Math.random() / 4);
}

function textOf(error: Error): string {
  // Where a name has several addresses, the error that joins theirs has no text, only a code.
  return error.message || ('code' in error ? String(error.code) : error.name);
}
