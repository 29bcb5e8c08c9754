// Real processes that receive, and are killed while they do.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { forkTypeScript } from './fork-typescript.js';

export interface ReceiverOptions {
  /** Of the layer. */
  readonly url: string;
  readonly channel: string;
  /** The file for the numbers of the messages that were handled, one a line. */
  readonly notes: string;
  /** Messages taken at once; undefined for a `Worker` with its own defaults. */
  readonly max?: number;
  /** Milliseconds; undefined for at most once. */
  readonly lease?: number;
}

/** A child process that takes messages from when it is told to `begin`. */
export class Receiver {
  readonly #child: ChildProcess;

  static async start(options: ReceiverOptions): Promise<Receiver> {
    const child = forkTypeScript('receiver-child.ts', [JSON.stringify(options)]);
    await once(child, 'message');
    return new Receiver(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  begin(): void {
    this.#child.send('begin');
  }

  /** Closes its layer and lets it finish what it has in hand. */
  async end(): Promise<void> {
    await this.#after(() => this.#child.send('end'));
  }

  /** SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#after(() => this.#child.kill('SIGKILL'));
  }

  async #after(act: () => void): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    act();
    await ended;
  }
}

/** The numbers in a file of notes, as often as they were handled. */
export function numbersIn(notes: string): number[] {
  if (!existsSync(notes)) return [];
  // A receiver that was killed in the middle of a line has not acknowledged it either.
  return readFileSync(notes, 'utf8').split('\n').slice(0, -1).map(Number);
}
