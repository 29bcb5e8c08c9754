// A program in a terminal of its own, by script(1).

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { eventually, inTime } from './programs.js';

/** Why there is no terminal for a test here; false when there can be one. */
export function noTerminal(): string | false {
  try {
    const version = execFileSync('script', ['--version'], { encoding: 'utf8', stdio: 'pipe' });
    return version.includes('util-linux') ? false : 'script(1) is not that of util-linux';
  } catch {
    return 'there is no script(1) that makes a terminal';
  }
}

/** Killed with the test if it still runs then. */
export class Terminal {
  readonly #process: ChildProcess;
  readonly #exited: Promise<number>;
  #output = '';

  /** Runs a Node program in a terminal of so many rows. */
  static start(t: Test, path: string, args: readonly string[], { cwd = '.', rows = 20 } = {}): Terminal {
    const words = [process.execPath, path, ...args].map((word) => `'${word}'`).join(' ');
    // Without tap's hook in NODE_OPTIONS. The name of the terminal comes first, for resizing it.
    const command = `stty rows ${rows} cols 100; tty; exec env -u NODE_OPTIONS TERM=xterm ${words}`;
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const terminal = new Terminal(child);
    t.teardown(async () => {
      child.kill('SIGKILL');
      await terminal.#exited;
    });
    return terminal;
  }

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.stdout?.on('data', (data) => {
      this.#output += String(data);
    });
    // Typing to a program that has just ended is no fault of the test.
    child.stdin?.on('error', () => undefined);
    this.#exited = once(child, 'close').then(([code]) => Number(code));
  }

  /** All that was written to it so far, with escape codes. */
  get output(): string {
    return this.#output;
  }

  /** What it shows since it was last drawn. */
  get lines(): string[] {
    const drawn = this.#output.slice(this.#output.lastIndexOf('\x1b[H') + 3);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
    return drawn.replaceAll(/\x1b\[[\d;?]*[a-zA-Z]/g, '').split(/[\r\n]+/);
  }

  type(keys: string): void {
    this.#process.stdin?.write(keys);
  }

  /** Gives it another size, as when a person pulls at the window. */
  resize(rows: number): void {
    const name = /\/dev\/\S+/.exec(this.#output)?.[0];
    if (name === undefined) throw new Error('the terminal has not told its name yet');
    execFileSync('stty', ['-F', name, 'rows', String(rows)]);
  }

  async shows(pattern: RegExp): Promise<void> {
    await eventually(`the terminal shows ${pattern}`, () => pattern.test(this.lines.join('\n')));
  }

  /** Waits for its end. @returns its exit code */
  async ended(): Promise<number> {
    try {
      return await inTime('the program in the terminal ends', this.#exited);
    } catch (error) {
      throw new Error(`it still shows:\n${this.lines.join('\n')}`, { cause: error });
    }
  }
}
