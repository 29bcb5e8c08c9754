// Real processes that share a SQLite layer's file with the test.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { SqliteLayerOptions } from '../../channels/layers/sqlite/layer.js';
import { forkTypeScript } from './fork-typescript.js';

/** What a process can be told to do. Messages are of type `test.numbered` and carry an `n`. */
export interface LayerCommands {
  /** Opens the layer for all later commands. */
  open(options: Pick<SqliteLayerOptions, 'path' | 'capacity'>): Promise<void>;
  /** Sends the numbers one after another; the result is how many were accepted. */
  send(options: { channel: string; from: number; count: number }): Promise<number>;
  /** Sends the numbers in batches, one batch after another; the result is how many were accepted. */
  pour(options: { channel: string; from: number; count: number; batch: number }): Promise<number>;
  /** Receives up to `max` at once, until another layer is opened; the result is the numbers. */
  scoop(options: { channel: string; max: number }): Promise<number[]>;
  /** Receives until a message of another type comes; the result is the numbers before it. */
  collect(options: { channel: string }): Promise<number[]>;
  /** Passes every message of one channel on to another, until another layer is opened. */
  echo(options: { from: string; to: string }): Promise<void>;
  /** Sends and receives as quickly as it can, until another layer is opened. */
  burst(options: { channel: string }): Promise<void>;
}

export interface Request {
  readonly id: number;
  readonly command: keyof LayerCommands;
  readonly options: unknown;
}

export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A child process with a layer. */
export class LayerProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (reply: Reply) => void>();
  #nextId = 1;

  static async start(): Promise<LayerProcess> {
    const child = forkTypeScript('layer-process-child.ts');
    await once(child, 'message');
    return new LayerProcess(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => this.#pending.get(reply.id)?.(reply));
  }

  /** Resolves with the command's result; never, when the process ends before. */
  tell<C extends keyof LayerCommands>(
    command: C,
    options: Parameters<LayerCommands[C]>[0],
  ): ReturnType<LayerCommands[C]> {
    const id = this.#nextId++;
    const answered = new Promise((resolve, reject) => {
      this.#pending.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${command} in process ${this.#child.pid}: ${error}`));
      });
      this.#child.send({ id, command, options } satisfies Request);
    });
    return answered as ReturnType<LayerCommands[C]>;
  }

  /** Lets it go; resolves with its exit code when it has ended by itself. */
  async release(): Promise<number | null> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    const [code] = await ended;
    return code;
  }

  /** Ends it with SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
