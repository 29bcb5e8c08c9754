// Two workers that call each other: Channels' own `runworker` with the consumer of test/interop/django, and this
// package's Worker with a consumer that does the same.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { Consumer, type Handlers, type Message } from '../../channels/index.js';

interface SumRequest {
  readonly type: 'sum.request';
  readonly id: number;
  readonly numbers: readonly number[];
  readonly reply_channel: string;
  readonly report_to?: string;
}

interface SumDelegate {
  readonly type: 'sum.delegate';
  readonly id: number;
  readonly numbers: readonly number[];
  /** The channel of the worker that is to do it. */
  readonly to: string;
  readonly report_to: string;
}

interface SumReply {
  readonly type: 'sum.reply';
  readonly id: number;
  readonly total: number;
  readonly by: string;
  readonly report_to: string;
}

interface GroupMembership {
  readonly type: 'group.join' | 'group.leave';
  readonly id: number;
  readonly group: string;
  readonly report_to: string;
}

interface GroupTell {
  readonly type: 'group.tell';
  readonly id: number;
  readonly group: string;
  readonly report_to: string;
}

interface GroupEvent {
  readonly type: 'group.event';
  readonly id: number;
  readonly by: string;
  readonly report_to: string;
}

interface BreakDown {
  readonly type: 'break.down';
}

type PartnerMessage =
  | SumRequest
  | SumDelegate
  | SumReply
  | GroupMembership
  | GroupTell
  | GroupEvent
  | BreakDown;

/** The TypeScript half of the pair. Needs a layer, and a channel of its own for answers and groups. */
export class Partner extends Consumer<PartnerMessage> implements Handlers<PartnerMessage> {
  async sumRequest({ id, numbers, reply_channel, report_to }: SumRequest): Promise<void> {
    const total = numbers.reduce((sum, number) => sum + number, 0);
    const reply = { type: 'sum.reply', id, total, by: 'node', report_to };
    await this.layer.send(reply_channel, reply);
  }

  async sumDelegate({ id, numbers, to, report_to }: SumDelegate): Promise<void> {
    const request = { type: 'sum.request', id, numbers, reply_channel: this.#ownChannel, report_to };
    await this.layer.send(to, request);
  }

  async sumReply({ id, total, by, report_to }: SumReply): Promise<void> {
    await this.#report('sum.reply', id, report_to, { by, total });
  }

  async groupJoin({ type, id, group, report_to }: GroupMembership): Promise<void> {
    await this.layer.groupAdd(group, this.#ownChannel);
    await this.#report(type, id, report_to);
  }

  async groupLeave({ type, id, group, report_to }: GroupMembership): Promise<void> {
    await this.layer.groupDiscard(group, this.#ownChannel);
    await this.#report(type, id, report_to);
  }

  async groupTell({ id, group, report_to }: GroupTell): Promise<void> {
    const event = { type: 'group.event', id, by: 'node', report_to };
    await this.layer.groupSend(group, event);
  }

  async groupEvent({ type, id, by, report_to }: GroupEvent): Promise<void> {
    await this.#report(type, id, report_to, { by });
  }

  breakDown(): void {
    throw new Error('broke down as it was asked to');
  }

  get #ownChannel(): string {
    if (this.channelName === undefined) throw new Error('expected a channel of its own');
    return this.channelName;
  }

  async #report(of: string, id: number, to: string, details: object = {}): Promise<void> {
    const report: Message = { type: 'report', ...{ of, id, at: 'node' }, ...details };
    await this.layer.send(to, report);
  }
}

const project = fileURLToPath(new URL('../interop/django/', import.meta.url));

/** The Django project's worker on the channel `python`: `manage.py runworker python`. Ended with the test. */
export class DjangoWorker {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** It may still be starting: a message waits for it on its channel. */
  static start(t: Test, url: string, prefix: string): DjangoWorker {
    const child = spawn('/usr/bin/python3', ['-B', 'manage.py', 'runworker', 'python'], {
      cwd: project,
      env: { PATH: process.env.PATH, REDIS_URL: url, CHANNELS_PREFIX: prefix },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const worker = new DjangoWorker(child);
    // It tells there of handlers that failed, which is as it should be; a test that fails shows it.
    createInterface(child.stderr).on('line', (line) => worker.#lines.push(line));
    t.teardown(() => worker.end());
    return worker;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What it has written so far to its standard error. */
  get errors(): string {
    return this.#lines.join('\n');
  }

  async end(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}
