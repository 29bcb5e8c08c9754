// A connection of its own for blocked reads: while Redis keeps one waiting, nothing else gets through.

import { setTimeout as pause } from 'node:timers/promises';
import { type Client, Connection, type ConnectionOptions, isReplyError, isTemporary } from './connection.js';

/** A member as it lay in its sorted set. */
export interface Entry {
  readonly member: Buffer;
  /** The sender's time of sending, in seconds since 1970. */
  readonly score: number;
}

/** How long Redis keeps a read waiting at most. It bounds nothing but how late a dead connection is noticed. */
export const blockSeconds = 30;
const pauseAfterFailureMs = 50;
const longestUnblockPauseMs = 500;

/** Takes entries from one key at a time, waiting for them on the server. */
export class BlockingReads {
  readonly #connection: Connection;
  /** Redis's number of the connection, by which another connection can end its wait. */
  #clientId: Promise<number> | undefined;
  #session = 0;
  /** Counts the reads; 0 while none is under way. */
  #read = 0;
  #reads = 0;

  constructor(options: ConnectionOptions) {
    const replyWithinMs = blockSeconds * 1000 + options.replyWithinMs;
    this.#connection = new Connection({ ...options, replyWithinMs, onChange: undefined });
  }

  /**
   * Takes the entry with the lowest score, waiting for one. Undefined when there was none for half a minute, when
   * the wait was ended by `unblock`, or when the connection broke: then try again.
   *
   * @throws LayerUnavailableError when Redis refuses, LayerClosedError
   */
  async take(key: string): Promise<Entry | undefined> {
    const client = await this.#connection.ready();
    this.#askForId(client);
    this.#read = ++this.#reads;
    try {
      const reply = await client.bzpopminBuffer(key, blockSeconds);
      // Redis writes a score in the shortest form or with an exponent; both read back to the same double.
      return reply === null ? undefined : { member: reply[1], score: Number(reply[2].toString()) };
    } catch (error) {
      if (isReplyError(error) && !isTemporary(error)) throw this.#connection.unavailable(error);
      await pause(pauseAfterFailureMs);
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
