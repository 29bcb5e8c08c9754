// The consumer on `linod_<site>`: starts the coroutines, and passes on what is asked of them.

import {
  ChannelFull,
  type ChannelLayer,
  Consumer,
  type HandledTypes,
  type Handlers,
  InvalidNameError,
} from '../../channels/index.js';
import { LinodError, UsageError } from '../errors.js';
import type { LevelOverride } from '../log/levels/overrides.js';
import { type LogLevelsMessage, parseLogLevels } from '../log/levels/overrides.js';
import { type LogRecord, logRequestSchemas } from '../log/messages.js';
import { parserOf } from '../parse-message.js';
import type { PushOrder } from '../push.js';
import type { JobStatus, Progress } from '../tasks/job.js';
import { type Of, parsers, type TaskMessage } from './messages.js';

export type LinodMessages = LogRecord | LogLevelsMessage | TaskMessage;

/** What a start message did. */
export interface Started {
  /** Whether the coroutine ran before. */
  readonly already: boolean;
}

/** What became of a request for a run, as the programs of a site are told. */
export interface RequestState {
  readonly request: number;
  /** Whether it has come to its end: it ran, or it will not. */
  readonly over: boolean;
  /** Null while no worker has taken it up; `run` when it runs or ran; else why it does not, in words. */
  readonly outcome: string | null;
  /** The run, its times in ISO 8601; null where there is none, or not yet. */
  readonly job: {
    readonly id: number;
    readonly status: JobStatus;
    readonly message: string;
    readonly progress: Progress | null;
    readonly started: string;
    readonly ended: string | null;
  } | null;
}

/** The services behind the consumer. None of them knows of messages. */
export interface LinodServices {
  /** This worker's id. */
  readonly workerId: string;
  startTasks(by: string): Promise<Started>;
  startLogger(by: string): Promise<Started>;
  /** The status of all tasks, a line for each rule. */
  status(): Promise<string[]>;
  /**
   * Writes down that a rule is to run, or its run is to end.
   *
   * @param rule as a person may name it
   * @param args for the run
   * @returns the number of the request
   */
  request(action: 'run' | 'cancel', rule: number | string, by: string, args?: unknown): Promise<number>;
  /** What became of a request for a run so far. @throws UsageError when there is no such request */
  requested(request: number): Promise<RequestState>;
  /** Writes a push down and has it sent. Tells in the log why it does not. @returns as `PushQueue.add` does */
  push(order: PushOrder, by: string): Promise<{ readonly id: number; readonly deliveries: number }>;
  /** Looks at the rules and the requests now. */
  wake(): void;
  /** How this worker is doing. */
  report(): Record<string, unknown>;
  /** Takes over levels of loggers that were set on another machine. */
  takeLevels(levels: readonly LevelOverride[]): void;
  /** Writes a record of a process that has no sender of its own. */
  record(record: LogRecord): void;
}

export class LinodConsumer extends Consumer<LinodMessages> implements Handlers<LinodMessages> {
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
      // An order that makes no sense was told in the log: that is no trouble of the worker's.
      if (!(error instanceof LinodError)) throw error;
      await this.#reply(message, { type: 'push.refused', ...refusalOf(error) });
    }
  }

  rulesChanged(_message: Of<'rules.changed'>): void {
    this.#services.wake();
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
      // The asker named a rule that there is not, or several: that is no trouble of the worker's.
      if (!(error instanceof UsageError)) throw error;
      await this.#reply(message, { type: 'job.refused', rule, ...refusalOf(error) });
    }
  }

  /** Answers where an answer is wanted. A full or vanished channel of the asker is the asker's trouble. */
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

/** Why something is refused: in words, and as the code that the error would have in a program. */
function refusalOf({ code, message }: LinodError): { code: string; error: string } {
  return { code, error: message };
}
