// A process that logs when it is told to: says `ready`, waits for a line on its standard input, logs, says `done`.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment, type Usage, usageOf } from '../shared/program.js';

const patienceMs = 180_000;

export interface SenderProgram {
  /** A file of this folder: one of Node's without `.js`, or one of Python's. */
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
}

export class SenderProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #said = new Map<string, { readonly promise: Promise<void>; readonly resolve: () => void }>();
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, name: string) {
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#word(line).resolve());
    this.#ended = new Promise((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
    });
    this.#ended.catch(() => undefined);
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
  }

  /** Resolves when it is ready to begin. */
  static async start({ command, args, directory }: SenderProgram): Promise<SenderProcess> {
    const child = spawn(command, args, {
      cwd: directory,
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const sender = new SenderProcess(child, args.join(' '));
    await sender.says('ready');
    return sender;
  }

  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  /** Resolves when it has said a line. Rejects when it ends instead, or takes three minutes. */
  async says(line: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`a sender does not say ${line}`)), patienceMs);
    });
    try {
      await Promise.race([this.#word(line).promise, this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  usage(): Usage {
    return usageOf(this.#process.pid);
  }

  /** Has it end by itself. */
  async stop(): Promise<void> {
    this.#process.stdin.end();
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit');
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit');
  }

  #word(line: string) {
    let word = this.#said.get(line);
    if (word === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      word = { promise, resolve };
      this.#said.set(line, word);
    }
    return word;
  }
}

/** A sender on Node, a file of this folder. */
export function onNode(file: string, directory: string, ...args: string[]): SenderProgram {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return { command: process.execPath, args: [path, ...args], directory };
}
