// A connection of its own for blocked reads: while Redis keeps one waiting, nothing else gets through.

import { setTimeout as pause } from 'node:timers/promises';
import { untilBeat } from '../../beat.js';
import { type Client, Connection, type ConnectionOptions } from './connection.js';
import { isElsewhere, isReplyError, isTemporary, isUnknownCommand } from './replies.js';

/** A member as it lay in its sorted set. */
export interface Entry {
  readonly key: string;
  readonly member: Buffer;
  /** The sender's time of sending, in seconds since 1970. */
  readonly score: number;
}

/** How long Redis keeps a read waiting at most. It bounds nothing but how late a dead connection is noticed. */
export const blockMs = 10_000;
/** How long after that the reply may be late. Then the connection is dead: noticed within 15 seconds. */
export const longestDelayMs = 5000;
const firstPauseMs = 50;
const longestPauseMs = 1000;
const longestUnblockPauseMs = 500;

/** Takes entries from the keys of one channel at a time, waiting for them on the server. */
export class BlockingReads {
  readonly #connection: Connection;
  readonly #waitMs: number;
  /** Redis's number of the connection, by which another connection can end its wait. */
  #clientId: Promise<number> | undefined;
  #session = 0;
  /** Counts the reads; 0 while none is under way. */
  #read = 0;
  #reads = 0;
  /** In a row. */
  #failures = 0;
  #heardAt: number | undefined;
  /** Whether the server has no BZMPOP, which came with Redis 7. */
  #hasNoBatches = false;

  constructor(options: ConnectionOptions, waitMs = blockMs) {
    const replyWithinMs = waitMs + Math.min(options.replyWithinMs, longestDelayMs);
    this.#waitMs = waitMs;
    this.#connection = new Connection({
      ...options,
      replyWithinMs,
      onChange: undefined,
      onServer: () => this.#noteHeard(),
    });
  }

  /** When the server last let us in or answered a read, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** Whether a read can begin at once. */
  get isReady(): boolean {
    return this.#connection.isReady;
  }

  /** Waits for the connection, for ever. @throws LayerUnavailableError when the server lets us in no more, LayerClosedError */
  async ready(): Promise<void> {
    this.#askForId(await this.#connection.ready());
  }

  /**
   * Takes the entries with the lowest scores from the first of the keys that has any: at least one, at most `max`,
   * waiting for the first. Empty when there was none for some seconds, when the wait was ended by `unblock`, when
   * nothing is wanted any more once there is a connection, or when that broke: then try again.
   *
   * @throws LayerUnavailableError when Redis refuses, LayerClosedError
   */
  async take(keys: readonly string[], max: number, isWanted: () => boolean): Promise<readonly Entry[]> {
    this.#read = ++this.#reads;
    try {
      const client = await this.#connection.ready();
      this.#askForId(client);
      return isWanted() ? await this.#takeFrom(client, keys, max) : [];
    } finally {
      this.#read = 0;
    }
  }

  /**
   * Ends the wait of a `take` under way with the help of another connection, unless `stillWanted` says yes. The
   * reply tells whether an entry was taken or not, so that none is lost in between.
   */
  async unblock(commands: Connection, stillWanted: () => boolean): Promise<void> {
    const read = this.#read;
    if (read === 0) return;
    // The read may not have reached the server yet, so one attempt is not enough.
    for (let pauseMs = 1; this.#read === read && !stillWanted(); pauseMs *= 2) {
      const id = await this.#clientId;
      if (id === undefined || (await commands.run((client) => client.client('UNBLOCK', id))) === 1) return;
      await pause(Math.min(pauseMs, longestUnblockPauseMs));
    }
  }

  close(): void {
    this.#connection.close();
  }

  async #takeFrom(client: Client, keys: readonly string[], max: number): Promise<readonly Entry[]> {
    try {
      const entries = max > 1 ? await this.#takeMany(client, keys, max) : await this.#takeOne(client, keys);
      this.#failures = 0;
      this.#noteHeard();
      return entries;
    } catch (error) {
      if (isReplyError(error) && !isTemporary(error)) throw this.#connection.unavailable(error);
      if (isReplyError(error) && isElsewhere(error)) this.#connection.leave(client, error);
      await pause(Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs));
      return [];
    }
  }

  async #takeOne(client: Client, keys: readonly string[]): Promise<readonly Entry[]> {
    const reply = await client.bzpopminBuffer(...keys, this.#blockSeconds);
    return reply === null ? [] : entriesOf(reply[0].toString(), reply.slice(1));
  }

  async #takeMany(client: Client, keys: readonly string[], max: number): Promise<readonly Entry[]> {
    if (this.#hasNoBatches) return this.#takeOne(client, keys);
    try {
      const reply: unknown = await client.callBuffer(
        ...['BZMPOP', String(this.#blockSeconds), String(keys.length), ...keys],
        ...['MIN', 'COUNT', String(max)],
      );
      return readBatch(reply);
    } catch (error) {
      // Redis 6.
      if (!isReplyError(error) || !isUnknownCommand(error)) throw error;
      this.#hasNoBatches = true;
      return this.#takeOne(client, keys);
    }
  }

  /** So long that all reads of this process which find nothing end together, in whole milliseconds. */
  get #blockSeconds(): number {
    return Math.ceil(untilBeat(Date.now(), this.#waitMs)) / 1000;
  }

  #noteHeard(): void {
    this.#heardAt = performance.now();
  }

  #askForId(client: Client): void {
    if (this.#session === this.#connection.session) return;
    this.#session = this.#connection.session;
    this.#clientId = client.client('ID');
    // Whoever needs the number sees the failure; until then it has no owner.
    this.#clientId.catch(() => undefined);
  }
}

/** Reads members and scores that follow each other. */
export function entriesOf(key: string, reply: readonly Buffer[]): Entry[] {
  const entries: Entry[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [member, score] = [reply[i], reply[i + 1]];
    // Redis writes a score in the shortest form or with an exponent; both read back to the same double.
    if (member !== undefined && score !== undefined)
      entries.push({ key, member, score: Number(score.toString()) });
  }
  return entries;
}

/** Reads the reply of BZMPOP: a key and its pairs; null when there was nothing. */
function readBatch(reply: unknown): readonly Entry[] {
  if (!Array.isArray(reply)) return [];
  const [key, pairs]: unknown[] = reply;
  if (!Buffer.isBuffer(key) || !Array.isArray(pairs)) return [];
  return entriesOf(key.toString(), pairs.flat());
}
