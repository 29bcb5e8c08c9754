// The consumer on `linod_<site>`: starts the coroutines and passes requests to the services.

import {
  ChannelFull,
  type ChannelLayer,
  Consumer,
  type HandledTypes,
  type Handlers,
  InvalidNameError,
} from '../../channels/index.js';
import { LinodError, UsageError } from '../base/errors.js';
import { parserOf } from '../base/parse-message.js';
import type { LevelOverride } from '../log/levels/overrides.js';
import { type LogLevelsMessage, parseLogLevels } from '../log/levels/overrides.js';
import { type LogRecord, logRequestSchemas } from '../log/messages.js';
import type { JobStatus, Progress } from '../runs/job.js';
import { type Of, parsers, type TaskMessage } from './messages.js';
import type { PushOrder } from './push-queue.js';

export type LinodMessages = LogRecord | LogLevelsMessage | TaskMessage;

/** The result of a start message. */
export interface Started {
  /** Whether the coroutine was already running. */
  readonly already: boolean;
}

/** The state of a request for a run, as the site's programs receive it. */
export interface RequestState {
  readonly request: number;
  /** Whether the request is finished: its run has ended, or there will be none. */
  readonly over: boolean;
  /**
   * Null until a worker takes the request; `run` when it runs or ran; otherwise the reason why not, in words.
   */
  readonly outcome: string | null;
  /** The run, with times in ISO 8601; null while there is none. */
  readonly job: {
    readonly id: number;
    readonly status: JobStatus;
    readonly message: string;
    readonly progress: Progress | null;
    readonly started: string;
    readonly ended: string | null;
  } | null;
}

/** The services behind the consumer. None of them knows about messages. */
export interface LinodServices {
  /** This worker's id. */
  readonly workerId: string;
  startTasks(by: string): Promise<Started>;
  startLogger(by: string): Promise<Started>;
  /** The status of all tasks, one line for each rule. */
  status(): Promise<string[]>;
  /**
   * Stores a request to run a rule, or to end its run.
   *
   * @param rule its number or name
   * @param args for the run
   * @returns the number of the request
   */
  request(action: 'run' | 'cancel', rule: number | string, by: string, args?: unknown): Promise<number>;
  /** The current state of a request for a run. @throws UsageError when there is no such request */
  requested(request: number): Promise<RequestState>;
  /** Stores a push and sends it. Logs the reason when it does not. @returns as `PushQueue.add` does */
  push(order: PushOrder, by: string): Promise<{ readonly id: number; readonly deliveries: number }>;
  /** Polls the rules and the requests now. */
  wake(): void;
  /** Takes the orders to this worker. */
  obey(): void;
  /** This worker's health. */
  report(): Record<string, unknown>;
  /** Applies logger levels that were set on another machine. */
  takeLevels(levels: readonly LevelOverride[]): void;
  /** Writes a record from a process that has no sender of its own. */
  record(record: LogRecord): void;
}

export class LinodConsumer extends Consumer<LinodMessages> implements Handlers<LinodMessages> {
  static override readonly untraced = ['log.record', 'log.levels', 'worker.ping'];
  override readonly handles: HandledTypes<LinodMessages> = {
    ...parsers,
    'log.record': parserOf(logRequestSchemas[1]),
    'log.levels': parseLogLevels,
  };
  readonly #services: LinodServices;

  constructor(layer: ChannelLayer, services: LinodServices) {
    super({ layer });
    this.#services = services;
  }

  async logServer(message: Of<'log.server'>): Promise<void> {
    const { already } = await this.#services.startLogger(message.by);
    await this.#reply(message, { type: 'linod.started', coroutine: 'log.server', already });
  }

  logRecord(message: LogRecord): void {
    this.#services.record(message);
  }

  logLevels(message: LogLevelsMessage): void {
    this.#services.takeLevels(message.levels);
  }

  async runSystemTasks(message: Omit<Of<'run.system.tasks'>, 'type'>): Promise<void> {
    const { already } = await this.#services.startTasks(message.by);
    await this.#reply(message, { type: 'linod.started', coroutine: 'run.system.tasks', already });
  }

  async runBackgroundTasks(message: Of<'run.background.tasks'>): Promise<void> {
    await this.runSystemTasks(message);
  }

  async runSchedule(message: Of<'run.schedule'>): Promise<void> {
    await this.runSystemTasks(message);
  }

  async jobList(message: Of<'job.list'>): Promise<void> {
    await this.#reply(message, { type: 'job.status', lines: await this.#services.status() });
  }

  async jobRun(message: Of<'job.run'>): Promise<void> {
    await this.#request('run', message, message.args);
  }

  async jobGet(message: Of<'job.get'>): Promise<void> {
    const { request } = message;
    try {
      await this.#reply(message, { type: 'job.state', ...(await this.#services.requested(request)) });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      await this.#reply(message, { type: 'job.refused', request, ...refusalOf(error) });
    }
  }

  async jobCancel(message: Of<'job.cancel'>): Promise<void> {
    await this.#request('cancel', message);
  }

  async sendPush(message: Of<'send.push'>): Promise<void> {
    const { user_id: to, data, urgency, topic, ttl: ttlSeconds, by } = message;
    try {
      const { id, deliveries } = await this.#services.push({ to, data, urgency, topic, ttlSeconds }, by);
      await this.#reply(message, { type: 'push.queued', push: id, deliveries });
    } catch (error) {
      // The service has logged the invalid push already; the worker goes on.
      if (!(error instanceof LinodError)) throw error;
      await this.#reply(message, { type: 'push.refused', ...refusalOf(error) });
    }
  }

  rulesChanged(_message: Of<'rules.changed'>): void {
    this.#services.wake();
  }

  workersChanged(_message: Of<'workers.changed'>): void {
    this.#services.obey();
  }

  async workerPing(message: Of<'worker.ping'>): Promise<void> {
    await this.#reply(message, { type: 'worker.pong', ...this.#services.report() });
  }

  async #request(
    action: 'run' | 'cancel',
    message: Of<'job.run'> | Of<'job.cancel'>,
    args?: unknown,
  ): Promise<void> {
    const { rule, by } = message;
    try {
      const request = await this.#services.request(action, rule, by, args);
      await this.#reply(message, { type: 'job.requested', rule, request });
    } catch (error) {
      // The caller named no rule, or an ambiguous one; the worker goes on.
      if (!(error instanceof UsageError)) throw error;
      await this.#reply(message, { type: 'job.refused', rule, ...refusalOf(error) });
    }
  }

  /**
   * Replies if the message asks for it. Ignores a reply channel that is full or gone: only its reader loses.
   */
  async #reply<A extends { type: string }>(
    asked: { reply_channel?: string | undefined },
    answer: A,
  ): Promise<void> {
    if (asked.reply_channel === undefined) return;
    try {
      await this.layer.send<A & { worker: string }>(asked.reply_channel, {
        ...answer,
        worker: this.#services.workerId,
      });
    } catch (error) {
      if (!(error instanceof ChannelFull) && !(error instanceof InvalidNameError)) throw error;
    }
  }
}

/** The reason of a refusal, in words and as the error's code. */
function refusalOf({ code, message }: LinodError): { code: string; error: string } {
  return { code, error: message };
}
