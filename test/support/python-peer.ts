// A process with Python's own channels_redis, to talk to.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { fromTagged, toTagged, withoutFloats } from './tagged-values.js';

const script = fileURLToPath(new URL('../interop/peer.py', import.meta.url));

/** What Python raised, by the name of its class: `ChannelFull`, `TypeError`… */
export class PythonError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** One layer object of Python's, that takes many requests at once. Ended with the test. */
export class PythonPeer {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #requests = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** `options` are those of test/interop/peer.py: `['--prefix', 'my:', '--capacity', '3']`. */
  static async start(
    t: Test,
    url: string | readonly string[],
    options: readonly string[] = [],
  ): Promise<PythonPeer> {
    const urls = [url].flat().flatMap((one) => ['--url', one]);
    const args = [script, ...urls, ...options, 'serve', '--timeout', '30'];
    const child = spawn('/usr/bin/python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const peer = new PythonPeer(child);
    t.teardown(() => peer.end());
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const answer: Answer = JSON.parse(line);
        if (answer.event === 'ready') resolve();
        else if (answer.id !== undefined) peer.#settle(answer.id, answer);
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the Python peer ended with ${code}`)));
    });
    return peer;
  }

  /** A message may hold what the tags of test/vectors carry: bytes, bigint, Float. */
  async send(channel: string, message: unknown): Promise<void> {
    await this.#request('send', { channel, message: toTagged(message) });
  }

  async receive(channel: string): Promise<unknown> {
    return withoutFloats(fromTagged(await this.#request('receive', { channel })));
  }

  async newChannel(): Promise<string> {
    return String(await this.#request('new_channel', {}));
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    await this.#request('group_add', { group, channel });
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    await this.#request('group_discard', { group, channel });
  }

  async groupSend(group: string, message: unknown): Promise<void> {
    await this.#request('group_send', { group, message: toTagged(message) });
  }

  async flush(): Promise<void> {
    await this.#request('flush', {});
  }

  /** Lets it finish what it does and waits for its end. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exited;
  }

  async #request(op: string, fields: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = ++this.#requests;
    const answered = new Promise<Answer>((resolve) => this.#pending.set(id, resolve));
    this.#process.stdin?.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    const answer = await answered;
    if (answer.ok) return answer.result;
    throw new PythonError(answer.error ?? '', answer.message ?? '');
  }

  #settle(id: number, answer: Answer): void {
    this.#pending.get(id)?.(answer);
    this.#pending.delete(id);
  }
}

interface Answer {
  readonly event?: string;
  readonly id?: number;
  readonly ok?: boolean;
  readonly result?: unknown;
  readonly error?: string;
  readonly message?: string;
}
