// Groups of Redis servers as people run them: a master with Sentinel, a cluster; and what TLS needs.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';
import type { Test } from 'tap';
import { testDirectory } from './directory.js';
import { freePort, RedisServer } from './redis.js';
import { until } from './until.js';

export interface WatchOptions {
  /** The Sentinel's own, which is not the master's. */
  readonly password?: string;
  /** For so long the master has to be down until its replica takes its place. Default 300 ms. */
  readonly downAfterMs?: number;
}

/** A master, its replica, and a Sentinel that puts the one in the place of the other when it is down. */
export class WatchedMaster {
  readonly name = 'main';
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinelPort: number;

  private constructor(master: RedisServer, replica: RedisServer, sentinelPort: number) {
    this.master = master;
    this.replica = replica;
    this.sentinelPort = sentinelPort;
  }

  static async start(t: Test, options: WatchOptions = {}): Promise<WatchedMaster> {
    // A replica is served at once, not with others that may come within five seconds.
    const master = await RedisServer.start(t, { args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await RedisServer.start(t, { args: ['--replicaof', `127.0.0.1 ${master.port}`] });
    const watched = new WatchedMaster(master, replica, await freePort());
    await watched.#startSentinel(t, options);
    return watched;
  }

  async #startSentinel(t: Test, { password, downAfterMs = 300 }: WatchOptions): Promise<void> {
    const directory = testDirectory(t);
    const file = join(directory, 'sentinel.conf');
    const lines = [
      `port ${this.sentinelPort}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor ${this.name} 127.0.0.1 ${this.master.port} 1`,
      `sentinel down-after-milliseconds ${this.name} ${downAfterMs}`,
      `sentinel failover-timeout ${this.name} 2000`,
    ];
    if (password !== undefined) lines.push(`requirepass ${password}`);
    writeFileSync(file, lines.join('\n'));
    const child = spawn('redis-server', [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    });
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        if (line.includes('+slave slave')) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the Sentinel ended with ${code}`)));
    });
    const raw = this.master.client(t);
    // It goes on trying when the master is killed.
    raw.on('error', () => undefined);
    await until('the replica is online', async () =>
      (await raw.info('replication')).includes('state=online'),
    );
  }
}

/** A cluster of two nodes, of which the first has all slots. */
export class SmallCluster {
  readonly nodes: readonly [RedisServer, RedisServer];
  readonly #clients: readonly [Redis, Redis];

  private constructor(t: Test, nodes: readonly [RedisServer, RedisServer]) {
    this.nodes = nodes;
    this.#clients = [nodes[0].client(t), nodes[1].client(t)];
  }

  static async start(t: Test): Promise<SmallCluster> {
    const start = async () =>
      RedisServer.start(t, {
        args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
      });
    const cluster = new SmallCluster(t, [await start(), await start()]);
    await cluster.#join();
    return cluster;
  }

  /** Gives the slot of a key without any keys in it to the second node. */
  async moveSlotOf(key: string): Promise<void> {
    const [first, second] = this.#clients;
    const slot = String(await first.call('CLUSTER', 'KEYSLOT', key));
    const id = String(await second.call('CLUSTER', 'MYID'));
    await second.call('CLUSTER', 'SETSLOT', slot, 'NODE', id);
    await first.call('CLUSTER', 'SETSLOT', slot, 'NODE', id);
  }

  async #join(): Promise<void> {
    const [first, second] = this.#clients;
    await first.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const busPort = String(((await second.call('CONFIG', 'GET', 'cluster-port')) as string[])[1]);
    await first.call('CLUSTER', 'MEET', '127.0.0.1', String(this.nodes[1].port), busPort);
    for (const client of this.#clients)
      await until('the nodes agree', async () => {
        const info = String(await client.call('CLUSTER', 'INFO'));
        return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:2');
      });
  }
}

/** A certificate for 127.0.0.1 that signs itself, with its key; paths of PEM files. */
export function selfSignedCertificate(t: Test): { readonly cert: string; readonly key: string } {
  const directory = testDirectory(t);
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const keyKind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const args = ['req', '-x509', ...keyKind, '-keyout', key, '-out', cert, '-days', '2', ...subject];
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return { cert, key };
}
