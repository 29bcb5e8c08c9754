// The site's socket for programs of other languages.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../clock.js';
import { LinodError } from '../../errors.js';
import { type Thresholds, writeForeign } from '../foreign.js';
import type { LogSender } from '../sender/sender.js';
import { Conversation } from './conversation.js';
import { idleMs } from './lines.js';
import { Problems } from './problems.js';
import { waitForRoom } from './room.js';

/** The longest path that the kernel takes, without the zero at its end. Source: unix(7); macOS has 103. */
export const maxSocketPathBytes = process.platform === 'linux' ? 107 : 103;

const maxConnections = 128;
const loggerName = 'linod.log';

/** There can be no socket at this path. */
export class LogSocketError extends LinodError {
  constructor(path: string, problem: string) {
    super('LINOD_ERR_LOG_SOCKET', `no log socket at ${path}: ${problem}`);
  }
}

export interface LogSocketOptions {
  readonly path: string;
  /** Permissions of the socket's file, such as 0o600. */
  readonly mode: number;
  /** Numbers the records, and spools them where it cannot deliver them: so each is in the log exactly once. */
  readonly sender: Pick<LogSender, 'write' | 'flush' | 'spooled'>;
  /** Which of the records are wanted. */
  readonly levels: Thresholds;
  readonly clock: Clock;
}

/** One process at a time may open it: see {@link LogSocketKeeper}. */
export class LogSocket {
  readonly #options: LogSocketOptions;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #stop = new AbortController();
  readonly #problems: Problems;

  /** @throws LogSocketError (`LINOD_ERR_LOG_SOCKET`) when its path is too long, or something else is there */
  static async open(options: LogSocketOptions): Promise<LogSocket> {
    const { path } = options;
    const length = Buffer.byteLength(path);
    if (length > maxSocketPathBytes)
      throw new LogSocketError(
        path,
        `its path has ${length} bytes, and a socket's may have ${maxSocketPathBytes}; set logSocket to a shorter one`,
      );
    removeStale(path);
    const socket = new LogSocket(options);
    await socket.#listen();
    return socket;
  }

  private constructor(options: LogSocketOptions) {
    this.#options = options;
    this.#problems = new Problems(options.clock, (text, fields) =>
      options.sender.write('WARNING', loggerName, text, fields),
    );
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
    this.#server.maxConnections = maxConnections;
    this.#server.on('drop', () =>
      this.#complain(`a client was sent away: there are ${maxConnections} others`),
    );
  }

  /** Takes no more clients, and reads no more of those that there are. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#problems.close();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const client of this.#clients) client.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const { path, mode } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(new LogSocketError(path, error.message)));
      // The file is made in this turn, and must at no time be open to others.
      const before = process.umask(0o177);
      try {
        this.#server.listen(path, resolve);
      } finally {
        process.umask(before);
      }
    });
    this.#server.on('error', (error) => this.#complain(error.message));
    chmodSync(path, mode);
  }

  #serve(client: Socket): void {
    const { sender, levels, clock } = this.#options;
    let answered: Promise<void> = Promise.resolve();
    let hasEnded = false;
    const conversation = new Conversation({
      onRecord: (record) => writeForeign(sender, record, levels),
      onProblem: (problem) => this.#complain(tell(problem)),
      onFlush: () => {
        answered = answered.then(() => this.#flush(client));
      },
    });
    this.#clients.add(client);
    client.setTimeout(idleMs);
    client.on('timeout', () => conversation.pause());
    client.on('data', (chunk: Buffer) => {
      try {
        conversation.push(chunk);
      } catch (error) {
        this.#complain(tell(error));
        client.destroy();
        return;
      }
      client.pause();
      void waitForRoom({ sender, clock }, this.#stop.signal)
        .then(() => answered)
        .then(() => client.resume());
    });
    const end = () => {
      if (!hasEnded) conversation.end();
      hasEnded = true;
    };
    client.on('end', () => {
      end();
      void answered.then(() => client.end());
    });
    // A client that vanishes is nothing to be told: it does not send any more.
    client.on('error', () => undefined);
    client.on('close', () => {
      end();
      this.#clients.delete(client);
    });
  }

  /** Answers when what the client has sent so far is in the log or on disk in the spool. */
  async #flush(client: Socket): Promise<void> {
    const answer = await this.#options.sender.flush().then(
      () => ({ flushed: true }),
      (error: unknown) => ({ flushed: false, error: tell(error) }),
    );
    if (client.writable) client.write(`${JSON.stringify(answer)}\n`);
  }

  #complain(problem: string): void {
    this.#problems.add(`on the log socket: ${problem}`);
  }
}

/** What a process has left that ended without closing it. */
function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new LogSocketError(path, 'something else is there');
  unlinkSync(path);
}

function tell(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
