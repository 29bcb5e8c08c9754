// The servers and packages that a benchmark needs beside linod, for the time of its run.

import { execFile, execFileSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { say } from './contest.js';
import { Program } from './program.js';

/** Debian's Python, for which the packages of the peers are installed. */
export const python = '/usr/bin/python3';

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A Redis of the benchmark's own, without persistence. */
export interface RedisServer {
  readonly url: string;
  readonly program: Program;
  /** Processor time so far. */
  cpuMs(): number;
  close(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const program = await Program.start({
    name: 'redis-server',
    command: 'redis-server',
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    directory: tmpdir(),
    ready: /Ready to accept connections/,
  });
  const cpuMs = () => program.usage().cpuMs;
  return { url: `redis://127.0.0.1:${port}`, program, cpuMs, close: () => program.stop() };
}

/** Removes all keys, so that one contestant leaves nothing to the next. */
export async function flush({ url }: RedisServer): Promise<void> {
  const client = new Redis(url);
  await client.flushall();
  client.disconnect();
}

const postgresRoot = '/usr/lib/postgresql';

/** A PostgreSQL as its package sets it up, waiting for the disk. Undefined when it is not installed. */
export async function startPostgres(): Promise<{ url: string; close(): Promise<void> } | undefined> {
  const versions = existsSync(postgresRoot) ? readdirSync(postgresRoot).map(Number) : [];
  if (versions.length === 0) return undefined;
  const bin = join(postgresRoot, String(Math.max(...versions)), 'bin');
  const directory = await mkdtemp(join(tmpdir(), 'bench-pg-'));
  const data = join(directory, 'data');
  const as = postgresUser();
  if (as !== undefined) chownSync(directory, as.uid, as.gid);
  await chmod(directory, 0o700);
  const settings = ['--username', 'linod', '--auth', 'trust', '--encoding', 'UTF8', '--no-sync'];
  await promisify(execFile)(join(bin, 'initdb'), [...settings, '--pgdata', data], {
    ...as,
    cwd: directory,
    env: { LC_ALL: 'C.UTF-8' },
  });
  const port = await freePort();
  const flags = ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1'];
  const program = await Program.start({
    name: 'postgres',
    // PostgreSQL refuses to run as root.
    command: as === undefined ? join(bin, 'postgres') : 'setpriv',
    args: [
      ...(as === undefined
        ? []
        : [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups', join(bin, 'postgres')]),
      ...flags,
      ...['-c', `unix_socket_directories=${directory}`],
    ],
    directory,
    ready: /ready to accept connections/,
  });
  const close = async () => {
    await program.stop();
    await rm(directory, { recursive: true, force: true });
  };
  return { url: `postgres://linod@127.0.0.1:${port}/postgres`, close };
}

function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return { uid: Number(entry?.[1]), gid: Number(entry?.[2]) };
}

/** Installs BullMQ, with our version of ioredis, for the time of a run. @returns where; undefined without a network */
export async function fetchBullMq(directory: string): Promise<string | undefined> {
  const { version } = createRequire(import.meta.url)('ioredis/package.json') as { version: string };
  const flags = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  const home = join(directory, 'bullmq');
  await mkdir(home, { recursive: true });
  say('fetching BullMQ');
  try {
    const packages = ['bullmq@6', `ioredis@${version}`];
    await promisify(execFile)('npm', ['install', '--prefix', home, ...flags, ...packages], {
      cwd: home,
      timeout: 120_000,
    });
    return home;
  } catch (error) {
    say(`BullMQ cannot be fetched and is left out: ${String(error).split('\n')[0]}`);
    return undefined;
  }
}

/** The part of BullMQ that the benchmarks use. */
export interface BullMq {
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (
    name: string,
    process: (job: { readonly id: string; readonly data: { at?: number } }) => Promise<void>,
    options: object,
  ) => { waitUntilReady(): Promise<unknown>; close(): Promise<void> };
}

export interface BullQueue {
  add(name: string, data: object, options?: object): Promise<unknown>;
  addBulk(jobs: ReadonlyArray<{ name: string; data: object }>): Promise<unknown[]>;
  upsertJobScheduler(id: string, repeat: { readonly pattern: string }): Promise<unknown>;
  getJobCountByTypes(...types: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

export function loadBullMq(home: string): BullMq {
  // The file need not exist: its directory says where the package is looked for.
  return createRequire(join(home, 'from.js'))('bullmq') as BullMq;
}

export function bullMqOptions(url: string): { connection: object } {
  const { hostname, port } = new URL(url);
  return { connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null } };
}

/** What a command says of itself; undefined when it is not installed, which is said. */
export function saysOf(command: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    say(`${command} ${args.join(' ')} fails; its contestant is left out`);
    return undefined;
  }
}
