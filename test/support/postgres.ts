// A real PostgreSQL server for the tests of one file, with a database for each test.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import type { Test } from 'tap';
import { freePort } from './redis.js';

/** The owner of the cluster, who may do everything. */
const user = 'linod';
const password = 'not-to-be-shown';

/** Where Debian has the programs of the newest version. */
function program(name: string): string {
  const root = '/usr/lib/postgresql';
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return join(root, String(versions[0]), 'bin', name);
}

interface Identity {
  readonly uid?: number;
  readonly gid?: number;
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

/** A cluster on a free port of 127.0.0.1 and on a Unix socket, with a directory of its own. Ended with the test. */
export class PostgresServer {
  readonly port: number;
  /** The directory of the data and of the socket. */
  readonly directory: string;
  readonly #as: Identity;
  #process: ChildProcess | undefined;
  #databases = 0;
  #shared: Promise<string> | undefined;

  private constructor(port: number, directory: string, as: Identity) {
    this.port = port;
    this.directory = directory;
    this.#as = as;
  }

  static async start(t: Test): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'pg-'));
    const as = identity();
    const server = new PostgresServer(await freePort(), directory, as);
    t.teardown(async () => {
      await server.kill();
      rmSync(directory, { recursive: true, force: true });
    });
    if (as.uid !== undefined && as.gid !== undefined) chownSync(directory, as.uid, as.gid);
    server.#initialise();
    await server.#spawn();
    return server;
  }

  /** Makes an empty database. @returns its URL, with the password */
  async createDatabase(): Promise<string> {
    const name = `test${++this.#databases}`;
    await this.run(`create database ${name}`);
    return this.url(name);
  }

  /** Makes an empty schema in one database for all of them, which is quicker. @returns a URL that leads into it */
  async createSchema(): Promise<string> {
    this.#shared ??= this.createDatabase();
    const url = await this.#shared;
    const name = `schema${++this.#databases}`;
    await this.run(`create schema ${name}`, new URL(url).pathname.slice(1));
    return `${url}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
  }

  url(database: string, as = `${user}:${password}`): string {
    return `postgres://${as}@127.0.0.1:${this.port}/${database}`;
  }

  /** Runs statements as the owner of the cluster. */
  async run(sql: string, database = 'postgres'): Promise<Array<Record<string, unknown>>> {
    const client = new pg.Client({ connectionString: this.url(database) });
    // A server that is stopped meanwhile ends the connection, which the query tells.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Has it speak TLS from its next start on. @returns the path of its certificate, for the host `localhost` */
  prepareTls(): string {
    const [key, certificate] = ['server.key', 'server.crt'].map((name) => join(this.directory, name));
    if (key === undefined || certificate === undefined) throw new Error('unreachable: there are two');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const args = ['req', '-x509', '-nodes', '-days', '2', '-newkey', 'rsa:2048', ...subject];
    execFileSync('openssl', [...args, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    chmodSync(key, 0o600);
    const { uid, gid } = this.#as;
    if (uid !== undefined && gid !== undefined)
      for (const file of [key, certificate]) chownSync(file, uid, gid);
    const settings = `ssl = on\nssl_key_file = '${key}'\nssl_cert_file = '${certificate}'\n`;
    appendFileSync(join(this.directory, 'data', 'postgresql.conf'), settings);
    return certificate;
  }

  /** Ends it in good order, with all connections. */
  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  /** Ends it at once, as a crash does: it recovers at its next start. */
  kill(): Promise<void> {
    return this.#end('SIGQUIT');
  }

  /** Starts it again on the same port, with the same data. */
  async start(): Promise<void> {
    await this.#spawn();
  }

  #initialise(): void {
    const passwordFile = join(this.directory, 'password');
    writeFileSync(passwordFile, password, { mode: 0o644 });
    const args = ['--username', user, '--pwfile', passwordFile, '--auth-local', 'trust', '--no-sync'];
    const more = ['--auth-host', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C.UTF-8'];
    const { status, stderr } = spawnSync(
      program('initdb'),
      [...args, ...more, '--pgdata', join(this.directory, 'data')],
      { ...this.#as, cwd: this.directory, encoding: 'utf8', env: { PATH: process.env.PATH } },
    );
    if (status !== 0) throw new Error(`initdb ended with ${status}: ${stderr}`);
  }

  async #spawn(): Promise<void> {
    // What was committed outlives the process's crash; only the machine must not crash.
    const settings = [
      ...['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200'],
      ...['-c', `unix_socket_directories=${this.directory}`],
    ];
    const child = spawn(
      program('postgres'),
      ['-D', join(this.directory, 'data'), '-p', String(this.port), ...settings],
      { ...this.#as, cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'], env: { LC_ALL: 'C' } },
    );
    this.#process = child;
    const lines = createInterface(child.stderr);
    const told: string[] = [];
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        told.push(line);
        if (line.includes('ready to accept connections')) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${told.join('\n')}`)));
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
