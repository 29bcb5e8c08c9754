// A program of the demo: started, shown and ended.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The path of one of the package's programs, `runworker`, or of the demo's own, `demo/application`. */
export function program(name: string): string {
  const path = name.startsWith('demo/') ? `../${name}.ts` : `../../dist/scripts/${name}.js`;
  return fileURLToPath(new URL(path, import.meta.url));
}

/** No step of the demo takes longer than this. */
const patienceMs = 30_000;

export class Child {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #end: Promise<number | null>;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #prefix: string | undefined;
  #left = Number.POSITIVE_INFINITY;

  /** @param detached Ctrl-C in the terminal does not reach it: whoever started it ends it */
  constructor(
    path: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv,
    { detached = false }: { readonly detached?: boolean } = {},
  ) {
    this.#name = path.split('/').at(-1) ?? path;
    // The demo's own are TypeScript, as this program is.
    const nodeArgs = path.endsWith('.ts') ? process.execArgv : [];
    this.#process = spawn(process.execPath, [...nodeArgs, path, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached,
    });
    this.#end = new Promise((resolve) => {
      this.#process.once('close', resolve);
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    }
  }

  /** Shows what it prints from now on, at most so many lines, and what it has printed and was not shown. */
  show(prefix: string, lines = Number.POSITIVE_INFINITY): void {
    const isFirst = this.#prefix === undefined;
    this.#prefix = prefix;
    this.#left = lines;
    if (isFirst) for (const line of this.#lines) this.#print(line);
  }

  /** Waits for a line. @returns it */
  async printed(pattern: RegExp): Promise<string> {
    const ended = this.#end.then((code) => {
      throw new Error(
        `${this.#name} ended with ${code} before it printed ${pattern}:\n${this.#lines.join('\n')}`,
      );
    });
    const found = new Promise<string>((resolve) => {
      const look = () => {
        const line = this.#lines.find((each) => pattern.test(each));
        if (line === undefined) return;
        this.#waiting.delete(look);
        resolve(line);
      };
      this.#waiting.add(look);
      look();
    });
    return await inTime(Promise.race([found, ended]), `${this.#name} to print ${pattern}`);
  }

  /** Resolves when it has ended, whenever that is, with the exit code; null after a signal. */
  get end(): Promise<number | null> {
    return this.#end;
  }

  /** Waits for the end. @returns the exit code; null after a signal */
  async ended(): Promise<number | null> {
    return await inTime(this.#end, `the end of ${this.#name}`);
  }

  /** Waits for the end, which must have this exit code. */
  async succeeded(expected = 0): Promise<void> {
    const code = await this.ended();
    if (code !== expected) throw new Error(`${this.#name} ended with ${code}:\n${this.#lines.join('\n')}`);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
  }

  #onLine(line: string): void {
    this.#lines.push(line);
    for (const look of this.#waiting) look();
    if (this.#prefix !== undefined) this.#print(line);
  }

  #print(line: string): void {
    if (this.#left-- <= 0) return;
    process.stdout.write(`${this.#prefix}${line}\n`);
    if (this.#left === 0) process.stdout.write(`${this.#prefix}…\n`);
  }
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${patienceMs / 1000} s for ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
