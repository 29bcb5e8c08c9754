// A Python process that sends and receives thousands of numbered messages, and layers of ours beside it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { RedisChannelLayer, type RedisLayerOptions } from '../../channels/layers/redis/layer.js';
import type { Harvest, Numbers } from './harvest.js';
import { patientMs } from './patience.js';
import { eventually } from './programs.js';
import type { RedisServer } from './redis.js';

const script = fileURLToPath(new URL('../interop/flood.py', import.meta.url));

/** A Python process that sends and receives numbers by itself. Ended with the test. */
export class PythonFlood {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, (said: Said) => void>();
  readonly #failures: string[] = [];
  readonly #ended: Promise<unknown>;
  #requests = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#ended = once(process, 'close');
  }

  /** `options` are those of test/interop/peer.py. */
  static async start(t: Test, options: readonly string[], harvest: Harvest): Promise<PythonFlood> {
    const child = spawn('/usr/bin/python3', ['-B', script, ...options], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const flood = new PythonFlood(child);
    t.teardown(() => flood.end());
    let isReady = false;
    createInterface(child.stdout).on('line', (line) => {
      const said: Said = JSON.parse(line);
      if (said.event === 'ready') isReady = true;
      else if (said.event === 'numbers') harvest.add(said.name ?? '', said.numbers ?? []);
      else if (said.id !== undefined) flood.#pending.get(said.id)?.(said);
      else flood.#failures.push(line);
    });
    await eventually('the Python process is ready', () => isReady || child.exitCode !== null);
    return flood;
  }

  /** Receives on a general channel, until the end. */
  async receive(name: string, channel: string): Promise<void> {
    await this.#request('receive', { name, channel });
  }

  /** Receives on a new specific channel, perhaps as a member of a group. Returns the channel. */
  async newReceiver(name: string, group?: string): Promise<string> {
    return String(await this.#request('new_receiver', { name, ...(group !== undefined && { group }) }));
  }

  /** Sends one after the other, waiting for room when the channel is full. Returns how often it was. */
  async send(channel: string, numbers: Numbers): Promise<number> {
    return Number(await this.#request('send', { channel, ...numbers }));
  }

  async groupSend(group: string, numbers: Numbers): Promise<void> {
    await this.#request('group_send', { group, ...numbers });
  }

  /** Lets it tell the rest of what it has received, and waits for its end. @throws when something failed in it */
  async end(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
    if (this.#failures.length > 0) throw new Error(`in Python: ${this.#failures.join('\n')}`);
  }

  async #request(op: string, fields: object): Promise<unknown> {
    const id = ++this.#requests;
    const answered = new Promise<Said>((resolve) => this.#pending.set(id, resolve));
    this.#process.stdin?.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    const failed = this.#ended.then(() => {
      throw new Error(`the Python process ended without an answer to ${op}: ${this.#failures.join('\n')}`);
    });
    const { result, error, message } = await Promise.race([answered, failed]);
    if (error !== undefined) throw new Error(`in Python: ${error} ${message}`);
    return result;
  }
}

interface Said {
  readonly event?: string;
  readonly id?: number;
  readonly result?: unknown;
  /** The class of an exception, and its text. */
  readonly error?: string;
  readonly message?: string;
  readonly name?: string;
  readonly numbers?: readonly number[];
}

/** Seconds: on however busy a machine, no message is thrown away for its age. */
const expiry = 600;
let prefixes = 0;

/** Layers of ours and processes of Python's on one empty prefix. */
export function floodSetting(
  t: Test,
  servers: readonly RedisServer[],
  options: Omit<RedisLayerOptions, 'hosts'> = {},
  pythonOptions: readonly string[] = [],
) {
  const prefix = `flood${++prefixes}:`;
  const { capacity = 100 } = options;
  const hosts = servers.map(({ url }) => url);
  const clients = servers.map((server) => server.client(t));
  const ends = new AbortController();
  return {
    ours: () => {
      const layer = new RedisChannelLayer({ ...options, hosts, prefix, expiry, timeoutMs: patientMs });
      t.teardown(() => layer.close());
      return layer;
    },
    python: (harvest: Harvest) => {
      const places = hosts.flatMap((url) => ['--url', url]);
      const limits = ['--capacity', String(capacity), '--expiry', String(expiry)];
      return PythonFlood.start(t, [...places, '--prefix', prefix, ...limits, ...pythonOptions], harvest);
    },
    /** When this is aborted, our receivers end. */
    ends,
    /** What was put on channels and not taken. */
    left: async () => {
      const keys = await Promise.all(clients.map((client) => client.keys(`${prefix}*`)));
      return keys.flat().filter((key) => !key.startsWith(`${prefix}:`));
    },
  };
}
