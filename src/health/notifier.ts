// Tells systemd how this process is. Node has no datagram sockets of Unix, so `systemd-notify` sends.
//
// Source: systemd's manual, sd_notify(3) and systemd-notify(1).

import { execFile } from 'node:child_process';

export interface NotifierOptions {
  /** Called once when `systemd-notify` cannot be run. */
  readonly onTrouble: (error: Error) => void;
}

/** It waits for systemd to have read the message. */
const sendWithinMs = 5000;

export class Notifier {
  /** Milliseconds within which systemd wants a ping; null without a watchdog. */
  readonly watchdogMs: number | null;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #options: NotifierOptions;
  #sending: Promise<void> = Promise.resolve();
  #isPinging = false;
  #isTroubled = false;

  /**
   * Takes the socket out of the environment, so that no run and no child can speak for this process.
   *
   * @returns null for a process that systemd did not start as a service of type notify
   */
  static take(options: NotifierOptions): Notifier | null {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = process.env;
    delete process.env.NOTIFY_SOCKET;
    delete process.env.WATCHDOG_USEC;
    delete process.env.WATCHDOG_PID;
    if (socket === undefined || socket === '') return null;
    const isMeant = pid === undefined || Number(pid) === process.pid;
    const watchdogMs = isMeant && Number(usec) > 0 ? Number(usec) / 1000 : null;
    return new Notifier({ ...process.env, NOTIFY_SOCKET: socket }, watchdogMs, options);
  }

  private constructor(environment: NodeJS.ProcessEnv, watchdogMs: number | null, options: NotifierOptions) {
    this.#environment = environment;
    this.watchdogMs = watchdogMs;
    this.#options = options;
  }

  /** Sends assignments, such as `READY=1`, after those before. Never rejects. */
  send(...assignments: readonly string[]): Promise<void> {
    this.#sending = this.#sending.then(() => this.#run(assignments));
    return this.#sending;
  }

  /** Feeds the watchdog, unless the last ping is still on its way. */
  ping(status: string): void {
    if (this.#isPinging) return;
    this.#isPinging = true;
    void this.send('WATCHDOG=1', `STATUS=${status}`).finally(() => {
      this.#isPinging = false;
    });
  }

  /** Resolves when everything is sent. */
  async sent(): Promise<void> {
    await this.#sending;
  }

  #run(assignments: readonly string[]): Promise<void> {
    const { onTrouble } = this.#options;
    return new Promise((resolve) => {
      const options = { env: this.#environment, timeout: sendWithinMs };
      execFile('systemd-notify', assignments, options, (error) => {
        if (error !== null && !this.#isTroubled) onTrouble(error);
        this.#isTroubled = error !== null;
        resolve();
      });
    });
  }
}
