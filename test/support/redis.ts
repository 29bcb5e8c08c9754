// A real Redis server for one test.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { Test } from 'tap';

export interface RedisServerOptions {
  /** More of `redis-server`'s arguments: `['--requirepass', 'secret']`. */
  readonly args?: readonly string[];
  /** Writes every change to disk and reads it back after `restart`. */
  readonly persistent?: boolean;
  /** Another program that takes the same arguments. Default `redis-server`. */
  readonly program?: string;
}

/** A `redis-server` on a free port of 127.0.0.1 with a directory of its own. Ended with the test. */
export class RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #options: RedisServerOptions;
  #process: ChildProcess | undefined;

  private constructor(port: number, directory: string, options: RedisServerOptions) {
    this.port = port;
    this.#directory = directory;
    this.#options = options;
  }

  static async start(t: Test, options: RedisServerOptions = {}): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'redis-'));
    const server = new RedisServer(await freePort(), directory, options);
    t.teardown(async () => {
      await server.kill();
      rmSync(directory, { recursive: true });
    });
    await server.#spawn();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get socketPath(): string {
    return join(this.#directory, 'socket');
  }

  /** A client of the test's own, to look at what is on the server. Closed with the test. */
  client(t: Test): Redis {
    const client = new Redis({ host: '127.0.0.1', port: this.port, protocol: 2 });
    t.teardown(() => client.disconnect());
    return client;
  }

  /** Ends it in good order (SIGTERM). */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Starts it again on the same port; without `persistent` it has forgotten everything. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#spawn();
  }

  /** Starts it again with more arguments, and does not wait until it has loaded its data. */
  async restartLoading(args: readonly string[]): Promise<void> {
    await this.kill();
    await this.#spawn(args, 'oading');
  }

  /** Stops it in the middle of whatever it does (SIGSTOP): connections stay open, and nothing is answered. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  continue(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Kills it before anything else of this process runs. */
  killNow(): void {
    this.#process?.kill('SIGKILL');
  }

  /** Runs a command with `redis-cli` while this process does nothing else; `input` is its last argument. */
  runSynchronously(command: readonly string[], input?: Uint8Array): void {
    const options = input === undefined ? [] : ['-x'];
    execFileSync('redis-cli', ['-p', String(this.port), ...options, ...command], { input: input ?? '' });
  }

  async #spawn(more: readonly string[] = [], ready = 'Ready to accept connections'): Promise<void> {
    const persistence = this.#options.persistent
      ? ['--appendonly', 'yes', '--appendfsync', 'always']
      : ['--appendonly', 'no'];
    const args = [
      ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory, '--save', ''],
      ...['--unixsocket', this.socketPath, ...persistence, ...(this.#options.args ?? []), ...more],
    ];
    const child = spawn(this.#options.program ?? 'redis-server', args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    const lines = createInterface(child.stdout);
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        if (line.includes(ready)) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    // A stopped process takes no other signal than SIGKILL.
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
  }
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address === 'object' && address !== null) return address.port;
  throw new Error('no port');
}
