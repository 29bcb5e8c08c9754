// The Redis of a benchmark: one for all contestants, without persistence, on a free port of 127.0.0.1.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';

/** What the server has done since it started. */
export interface ServerUsage {
  /** Processor time of all its threads. */
  readonly cpuMs: number;
  /** Commands, those inside of scripts included. */
  readonly commands: number;
}

export class RedisServer {
  readonly url: string;
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #client: Redis;

  private constructor(child: ChildProcess, url: string, client: Redis, version: string) {
    this.#process = child;
    this.url = url;
    this.#client = client;
    this.version = version;
  }

  /** @throws Error when there is no `redis-server` */
  static async start(): Promise<RedisServer> {
    const port = await freePort();
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', [...args, '--dir', tmpdir()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Whatever ends this process, the server is not left behind.
    const endServer = () => child.kill();
    process.once('exit', endServer);
    child.once('exit', () => process.off('exit', endServer));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('Ready to accept connections')) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
    const url = `redis://127.0.0.1:${port}`;
    const client = new Redis(url, { protocol: 2 });
    const version = /^redis_version:(\S+)/m.exec(await client.info('server'))?.[1] ?? 'unknown';
    return new RedisServer(child, url, client, version);
  }

  async usage(): Promise<ServerUsage> {
    const info = `${await this.#client.info('cpu')}\n${await this.#client.info('stats')}`;
    const sum = (pattern: RegExp) =>
      Array.from(info.matchAll(pattern), ([, text]) => Number(text)).reduce((a, b) => a + b, 0);
    return {
      cpuMs: sum(/^used_cpu_(?:sys|user):([\d.]+)/gm) * 1000,
      commands: sum(/^total_commands_processed:(\d+)/gm),
    };
  }

  /** Waits until somebody is subscribed to each of the names. */
  async subscribed(names: readonly string[]): Promise<void> {
    for (;;) {
      const counts = await this.#client.pubsub('NUMSUB', ...names);
      if (counts.every((count, i) => i % 2 === 0 || Number(count) > 0)) return;
      await pause(1);
    }
  }

  /** How much memory its data and connections take. */
  async memoryBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.#client.info('memory'))?.[1]);
  }

  /** Breaks all connections but our own. */
  async dropConnections(): Promise<void> {
    await this.#client.call('CLIENT', 'KILL', 'SKIPME', 'yes');
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exited;
  }
}
