// A PostgreSQL for a benchmark, as its package sets it up: with a disk that is waited for. On a free port of 127.0.0.1.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

/** Where Debian has it. */
const root = '/usr/lib/postgresql';
const owner = 'linod';

interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

export class PostgresServer {
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #port: number;

  private constructor(child: ChildProcess, directory: string, port: number, version: string) {
    this.#process = child;
    this.#directory = directory;
    this.#port = port;
    this.version = version;
  }

  /** The newest version that is installed; undefined when there is none. */
  static async start(): Promise<PostgresServer | undefined> {
    const [newest] = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
    if (newest === undefined) return undefined;
    const program = (name: string) => join(root, newest, 'bin', name);
    const as = identity();
    const directory = await mkdtemp(join(tmpdir(), 'bench-pg-'));
    if (as.uid !== undefined && as.gid !== undefined) chownSync(directory, as.uid, as.gid);
    await chmod(directory, 0o700);
    const data = join(directory, 'data');
    const options = { ...as, cwd: directory, env: { LC_ALL: 'C.UTF-8' } };
    const settings = ['--username', owner, '--auth', 'trust', '--encoding', 'UTF8', '--no-sync'];
    await promisify(execFile)(program('initdb'), [...settings, '--pgdata', data], options);
    const port = await freePort();
    const places = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${directory}`];
    const child = spawn(program('postgres'), ['-D', data, '-p', String(port), ...places], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // Whatever ends this process, the server is not left behind. INT ends it with all its connections.
    const endServer = () => child.kill('SIGINT');
    process.once('exit', endServer);
    child.once('exit', () => process.off('exit', endServer));
    const version = await readyVersion(child);
    return new PostgresServer(child, directory, port, version);
  }

  /** Of a database that nobody has used yet: the first caller's. */
  get url(): string {
    return `postgres://${owner}@127.0.0.1:${this.#port}/postgres`;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGINT');
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package has made. */
function identity(): Identity {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = (line ?? '').split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/** Waits until it takes connections. @returns its version, which its first line tells */
async function readyVersion(child: ChildProcess): Promise<string> {
  const told: string[] = [];
  await new Promise<void>((resolve, reject) => {
    if (child.stderr === null) return reject(new Error('the output of postgres is not read'));
    createInterface({ input: child.stderr }).on('line', (line) => {
      told.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${told.join('\n')}`)));
  });
  return /PostgreSQL (\S+)/.exec(told.join('\n'))?.[1] ?? 'unknown';
}
