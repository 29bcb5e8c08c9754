// A connection of its own for blocked reads: while Redis keeps one waiting, nothing else gets through.

import { setTimeout as pause } from 'node:timers/promises';
import { type Client, Connection, type ConnectionOptions } from './connection.js';
import { isElsewhere, isReplyError, isTemporary } from './replies.js';

/** A member as it lay in its sorted set. */
export interface Entry {
  readonly member: Buffer;
  /** The sender's time of sending, in seconds since 1970. */
  readonly score: number;
}

/** How long Redis keeps a read waiting at most. It bounds nothing but how late a dead connection is noticed. */
export const blockSeconds = 10;
/** How long after that the reply may be late. Then the connection is dead: noticed within 15 seconds. */
export const longestDelayMs = 5000;
const firstPauseMs = 50;
const longestPauseMs = 1000;
const longestUnblockPauseMs = 500;

/** Takes entries from one key at a time, waiting for them on the server. */
export class BlockingReads {
  readonly #connection: Connection;
  readonly #blockSeconds: number;
  /** Redis's number of the connection, by which another connection can end its wait. */
  #clientId: Promise<number> | undefined;
  #session = 0;
  /** Counts the reads; 0 while none is under way. */
  #read = 0;
  #reads = 0;
  /** In a row. */
  #failures = 0;

  constructor(options: ConnectionOptions, seconds = blockSeconds) {
    const replyWithinMs = seconds * 1000 + Math.min(options.replyWithinMs, longestDelayMs);
    this.#blockSeconds = seconds;
    this.#connection = new Connection({
      ...options,
      replyWithinMs,
      onChange: undefined,
      onServer: undefined,
    });
  }

  /**
   * Takes the entry with the lowest score, waiting for one. Undefined when there was none for some seconds, when
   * the wait was ended by `unblock`, or when the connection broke: then try again.
   *
   * @throws LayerUnavailableError when Redis refuses, LayerClosedError
   */
  async take(key: string): Promise<Entry | undefined> {
    const client = await this.#connection.ready();
    this.#askForId(client);
    this.#read = ++this.#reads;
    try {
      const reply = await client.bzpopminBuffer(key, this.#blockSeconds);
      this.#failures = 0;
      // Redis writes a score in the shortest form or with an exponent; both read back to the same double.
      return reply === null ? undefined : { member: reply[1], score: Number(reply[2].toString()) };
    } catch (error) {
      if (isReplyError(error) && !isTemporary(error)) throw this.#connection.unavailable(error);
      if (isReplyError(error) && isElsewhere(error)) this.#connection.leave(client, error);
      await pause(Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs));
      return undefined;
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
    const id = await this.#clientId;
    if (id === undefined) return;
    // The read may not have reached the server yet, so one attempt is not enough.
    for (let pauseMs = 1; this.#read === read && !stillWanted(); pauseMs *= 2) {
      if ((await commands.run((client) => client.client('UNBLOCK', id))) === 1) return;
      await pause(Math.min(pauseMs, longestUnblockPauseMs));
    }
  }

  close(): void {
    this.#connection.close();
  }

  #askForId(client: Client): void {
    if (this.#session === this.#connection.session) return;
    this.#session = this.#connection.session;
    this.#clientId = client.client('ID');
    // Whoever needs the number sees the failure; until then it has no owner.
    this.#clientId.catch(() => undefined);
  }
}
