// The built programs as processes: started, listened to, and ended. `npm run build` has to have run before.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Test } from 'tap';

/** A script of the package, by its name. */
export type ScriptName = 'runworker' | 'initiate_linod' | 'linod';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The path of a built script. */
export function scriptPath(name: ScriptName): string {
  return `${root}dist/scripts/${name}.js`;
}

/** What a program of a test site has to import to get this package's loggers: the URL of `linod/log`, as built. */
export const logModuleUrl = pathToFileURL(`${root}dist/src/log/index.js`).href;

/** No step of a test takes longer than this, on however slow a machine. */
const patienceMs = 120_000;
/** How often a condition is looked at that brings no event. */
const lookMs = 25;

/** How a process ended, and what it said. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Node's own arguments. */
  readonly nodeArgs?: readonly string[];
  /** Variables besides those that every program gets; nothing else of this process's environment is passed on. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A Node process. Killed with the test if it still runs then. */
export class Program {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #listeners = new Set<() => void>();
  readonly #lines: string[] = [];
  #stdout = '';
  #stderr = '';

  /**
   * Starts a script with Node.
   *
   * Tap loads a hook into every Node process of a test, by NODE_OPTIONS; it listens to signals and to the exit,
   * which is what these tests are about. So the environment is made anew behind tap's back, by env(1), which
   * becomes the program itself: the process number is Node's.
   */
  static start(t: Test, path: string, args: readonly string[] = [], options: ProgramOptions = {}): Program {
    const { cwd = root, nodeArgs = [], environment = {} } = options;
    const inherited = ['PATH', 'HOME', 'TMPDIR', 'USER'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [`${name}=${value}`];
    });
    const own = Object.entries({ TZ: 'UTC', ...environment }).map(([name, value]) => `${name}=${value}`);
    const child = spawn('env', ['-i', ...inherited, ...own, process.execPath, ...nodeArgs, path, ...args], {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const program = new Program(child, [path.split('/').at(-1), ...args].join(' '));
    t.teardown(async () => {
      program.kill('SIGCONT');
      program.kill('SIGKILL');
      await program.#ended;
    });
    return program;
  }

  private constructor(child: ChildProcess, name: string) {
    this.#name = name;
    this.#process = child;
    child.stdout?.on('data', (data) => {
      this.#stdout += String(data);
    });
    child.stderr?.on('data', (data) => {
      this.#stderr += String(data);
    });
    // Writing to a program that has just ended is no fault of the test.
    child.stdin?.on('error', () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    }
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      );
    });
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.#name} has not started`);
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The lines of both streams so far, as they came. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Waits for a line, or finds one that was printed before. @throws when the program ends without it */
  async printed(wanted: RegExp | ((line: string) => boolean)): Promise<string> {
    const isWanted = typeof wanted === 'function' ? wanted : (line: string) => wanted.test(line);
    let look: () => void = () => undefined;
    const found = new Promise<string>((resolve) => {
      look = () => {
        const line = this.#lines.find(isWanted);
        if (line !== undefined) resolve(line);
      };
      this.#listeners.add(look);
      look();
    });
    const ended = this.#ended.then(({ code, signal }) => {
      throw new Error(`it ended with ${signal ?? code}`);
    });
    try {
      return await inTime(`${this.#name} prints ${wanted}`, Promise.race([found, ended]));
    } catch (error) {
      throw new Error(`${this.#name} did not print ${wanted}, but:\n${this.#lines.join('\n')}`, {
        cause: error,
      });
    } finally {
      this.#listeners.delete(look);
      ended.catch(() => undefined);
    }
  }

  /** Waits for the end, whatever brings it about. */
  async ended(): Promise<Ended> {
    return await inTime(`${this.#name} ends`, this.#ended);
  }

  /** Sends a signal, unless it has ended. */
  kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal);
  }

  /** Ends both of its streams at the reader's side, as a closed terminal does. */
  hangUp(): void {
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
  }

  /** Writes a line to its standard input. */
  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Writes this to its standard input, and ends that. */
  endInput(text: string): void {
    this.#process.stdin?.end(text);
  }

  #onLine(line: string): void {
    this.#lines.push(line);
    for (const look of this.#listeners) look();
  }
}

/** Looks again and again until the condition holds. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Waits for what comes by itself, and fails with what was waited for when it does not. */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain until ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
