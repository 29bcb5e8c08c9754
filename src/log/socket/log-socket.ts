// The site's socket for programs of other languages.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { LinodError } from '../../base/errors.js';
import { FileLock } from '../../base/files/file-lock.js';
import type { LogSender } from '../sender/sender.js';
import { Conversation } from './conversation.js';
import { type Thresholds, writeForeign } from './foreign-record.js';
import { idleMs } from './lines.js';
import { Problems } from './problems.js';
import { waitForRoom } from './room.js';

/** The longest path that the kernel takes, without the zero at its end. Source: unix(7); macOS has 103. */
const maxPathBytes = process.platform === 'linux' ? 107 : 103;
const maxConnections = 128;
/** Time between two tries to open a socket that another worker has. */
const retryMs = 500;

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
  /** Numbers and spools the records, so that each is in the log exactly once. */
  readonly sender: Pick<LogSender, 'write' | 'flush' | 'spooled'>;
  /** Which records are logged. */
  readonly levels: Thresholds;
  readonly clock: Clock;
  /** Called once with the reason when there is no socket, and with undefined when there is one again. */
  readonly onTrouble: (error: unknown) => void;
}

/**
 * One worker of a machine has the socket, even if it does not write the log. When it ends, another opens it
 * within a second.
 */
export class LogSocket {
  readonly #options: LogSocketOptions;
  readonly #lock: FileLock;
  readonly #clients = new Set<Socket>();
  readonly #stop = new AbortController();
  readonly #problems: Problems;
  #server: Server | undefined;
  #inTrouble = false;
  #cancelRetry: () => void = () => undefined;
  #opening: Promise<void> = Promise.resolve();

  constructor(options: LogSocketOptions) {
    this.#options = options;
    this.#lock = new FileLock(`${options.path}.lock`, 'socket');
    this.#problems = new Problems(options.clock, (text, fields) =>
      options.sender.write('WARNING', 'linod.log', text, fields),
    );
  }

  /** Opens the socket, now or when it is free. Never rejects. */
  async start(): Promise<void> {
    this.#opening = this.#tryToOpen();
    await this.#opening;
  }

  /** Accepts no more clients, and stops reading from the present ones. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancelRetry();
    await this.#opening;
    this.#problems.close();
    const closed = new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
    for (const client of this.#clients) client.destroy();
    await closed;
    this.#lock.release();
  }

  async #tryToOpen(): Promise<void> {
    const { signal } = this.#stop;
    let trouble: unknown;
    try {
      if (!signal.aborted && this.#lock.take()) this.#server = await this.#listen();
    } catch (error) {
      this.#lock.release();
      trouble = error;
    }
    if (this.#inTrouble !== (trouble !== undefined)) this.#options.onTrouble(trouble);
    this.#inTrouble = trouble !== undefined;
    if (this.#server !== undefined || signal.aborted) return;
    this.#cancelRetry = this.#options.clock.after(retryMs, () => void this.start());
  }

  /** @throws LogSocketError when the path is too long, or another file has it */
  async #listen(): Promise<Server> {
    const { path, mode } = this.#options;
    makeRoom(path);
    const server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
    server.maxConnections = maxConnections;
    server.on('drop', () => this.#complain(`a client was sent away: there are ${maxConnections} others`));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new LogSocketError(path, error.message)));
      // Node creates the file in this turn, and others must never have access to it.
      const before = process.umask(0o177);
      try {
        server.listen(path, resolve);
      } finally {
        process.umask(before);
      }
    });
    server.on('error', (error) => this.#complain(error));
    chmodSync(path, mode);
    return server;
  }

  #serve(client: Socket): void {
    const { sender, levels, clock } = this.#options;
    let answered: Promise<void> = Promise.resolve();
    let hasEnded = false;
    const conversation = new Conversation({
      onRecord: (record) => writeForeign(sender, record, levels),
      onProblem: (problem) => this.#complain(problem),
      onFlush: () => {
        answered = answered.then(() => this.#flush(client));
      },
    });
    const end = () => {
      if (!hasEnded) conversation.end();
      hasEnded = true;
    };
    this.#clients.add(client);
    client.setTimeout(idleMs);
    client.on('timeout', () => conversation.pause());
    client.on('data', (chunk: Buffer) => {
      try {
        conversation.push(chunk);
      } catch (error) {
        this.#complain(error);
        client.destroy();
        return;
      }
      client.pause();
      void waitForRoom({ sender, clock }, this.#stop.signal)
        .then(() => answered)
        .then(() => client.resume());
    });
    client.on('end', () => {
      end();
      void answered.then(() => client.end());
    });
    // A client that vanishes sends nothing more, so its error is ignored.
    client.on('error', () => undefined);
    client.on('close', () => {
      end();
      this.#clients.delete(client);
    });
  }

  /** Answers once everything that the client has sent is in the log or in the spool on disk. */
  async #flush(client: Socket): Promise<void> {
    const answer = await this.#options.sender.flush().then(
      () => ({ flushed: true }),
      (error: unknown) => ({ flushed: false, error: textOf(error) }),
    );
    if (client.writable) client.write(`${JSON.stringify(answer)}\n`);
  }

  #complain(problem: unknown): void {
    this.#problems.add(`on the log socket: ${textOf(problem)}`);
  }
}

/** Checks the path, and removes the socket of a process that ended without closing it. */
function makeRoom(path: string): void {
  const length = Buffer.byteLength(path);
  if (length > maxPathBytes)
    throw new LogSocketError(
      path,
      `its path has ${length} bytes, and a socket's may have ${maxPathBytes}; set logSocket to a shorter one`,
    );
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket()) throw new LogSocketError(path, 'something else is there');
  if (found !== undefined) unlinkSync(path);
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
