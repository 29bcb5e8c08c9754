// A real process with a worker on the channel `mail`.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { forkTypeScript } from './fork-typescript.js';

/** Handles `mail.good`, and throws at `mail.bad`. Killed with the test at the latest. */
export class MailWorker {
  readonly #child: ChildProcess;

  /** Resolves when it listens. */
  static async start(t: Test, url: string): Promise<MailWorker> {
    const child = forkTypeScript('mail-worker-child.ts', [url]);
    const worker = new MailWorker(child);
    t.teardown(() => worker.kill());
    await once(child, 'message');
    return worker;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
