// Which of a machine's workers has the site's socket open.

import type { Clock } from '../../clock.js';
import { FileLock } from '../../membership/file-lock.js';
import { LogSocket, type LogSocketOptions } from './log-socket.js';

/** How often a worker looks whether the one that had the socket has gone. */
const lookMs = 500;

export interface LogSocketKeeperOptions extends LogSocketOptions {
  readonly clock: Clock;
  /** Told once why there is no socket, and with undefined when there is. */
  readonly onTrouble: (error: unknown) => void;
}

/** One worker of a machine has the socket, whether it writes the log or not; when it ends, another opens it within a second. */
export class LogSocketKeeper {
  readonly #options: LogSocketKeeperOptions;
  readonly #lock: FileLock;
  #socket: LogSocket | undefined;
  #isStopped = false;
  #inTrouble = false;
  #cancelLook: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: LogSocketKeeperOptions) {
    this.#options = options;
    this.#lock = new FileLock(`${options.path}.lock`, 'socket');
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** Opens the socket, now or when it is free. Never rejects. */
  async start(): Promise<void> {
    this.#looking = this.#look();
    await this.#looking;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook();
    await this.#looking;
    await this.#socket?.close();
    this.#socket = undefined;
    this.#lock.release();
  }

  async #look(): Promise<void> {
    try {
      if (!this.#isStopped && this.#lock.take()) this.#socket = await LogSocket.open(this.#options);
      this.#tell(undefined);
    } catch (error) {
      this.#lock.release();
      this.#tell(error);
    }
    if (this.#socket !== undefined || this.#isStopped) return;
    this.#cancelLook = this.#options.clock.after(lookMs, () => void this.start());
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}
