// A peer, seen from the benchmark: a process that is given tasks and reports.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { PlainTask, Reports, Response, Task, WaitingTask } from './tasks.js';

/** Beyond it a peer counts as hung. Nothing that is measured takes nearly as long. */
const patienceMs = 120_000;

interface Asked {
  readonly ready: () => void;
  readonly done: (report: Reports[keyof Reports]) => void;
  readonly fail: (error: Error) => void;
}

export class Peer {
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  readonly #asked = new Map<number, Asked>();
  #nextId = 0;
  #complaints = '';

  /** Starts it. Its first task waits until it is there. */
  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name;
    this.#process = spawn(command, args, { stdio: 'pipe' });
    this.#closed = once(this.#process, 'close');
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#hear(line));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text;
    });
    this.#closed.then(
      () => this.#failAll(`ended: ${this.#complaints}`),
      (error: unknown) => this.#failAll(`cannot be started: ${String(error)}`),
    );
  }

  /** Has it do something and resolves with the report. */
  async do<T extends PlainTask>(task: T): Promise<Reports[T['do']]> {
    return this.#ask(task).report;
  }

  /** Has it begin to wait for something; resolves when it does. The report comes when it has what it waited for. */
  async begin<T extends WaitingTask>(task: T): Promise<{ readonly report: Promise<Reports[T['do']]> }> {
    const { ready, report } = this.#ask(task);
    await Promise.race([ready, report]);
    return { report };
  }

  /** Tells it to end, and sees to it that it does. Safe to call twice. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2000);
    await this.#closed.catch(() => undefined);
    clearTimeout(timer);
  }

  #ask<T extends Task>(task: T): { ready: Promise<void>; report: Promise<Reports[T['do']]> } {
    const id = this.#nextId++;
    const timer = setTimeout(() => this.#failAll(`hangs at ${JSON.stringify(task)}`), patienceMs);
    const forget = () => {
      clearTimeout(timer);
      this.#asked.delete(id);
    };
    let ready = () => {};
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const report = new Promise<Reports[keyof Reports]>((resolve, reject) => {
      this.#asked.set(id, { ready, done: resolve, fail: reject });
    }).finally(forget);
    // Work goes on until the peer ends, and that is no failure then.
    report.catch(() => undefined);
    this.#process.stdin.write(`${JSON.stringify({ ...task, id })}\n`);
    return { ready: isReady, report: report as Promise<Reports[T['do']]> };
  }

  #hear(line: string): void {
    // The peers are a part of this program: what they write is what tasks.ts says.
    const response = JSON.parse(line) as Response;
    const asked = this.#asked.get(response.id);
    if ('ready' in response) asked?.ready();
    else if ('report' in response) asked?.done(response.report);
    else asked?.fail(new Error(`${this.#name}: ${response.error}`));
  }

  #failAll(why: string): void {
    for (const asked of [...this.#asked.values()]) asked.fail(new Error(`${this.#name} ${why}`));
  }
}
