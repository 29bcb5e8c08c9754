// A sender whose site is still being loaded: takes records at once, and makes lines of them when it knows how.

import { LayerUnavailableError } from '../../channels/index.js';
import type { Clock } from '../clock.js';
import type { Guarded } from './exit-guard.js';
import type { Fields } from './fields.js';
import { type LevelName, LogLevels } from './levels.js';
import type { LogAnswer } from './messages.js';
import { LogSender } from './sender.js';
import type { LogSink } from './sink.js';
import type { LogTransport, OutgoingProbe, OutgoingRecords } from './transport.js';

/** What the site says about its log. */
export interface SenderSettings {
  readonly spoolDirectory: string;
  readonly level: LevelName;
  readonly timezone?: string | undefined;
}

export interface LateSenderOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Counts when the process ends, or too many records come, before the site is known. */
  readonly fallback: SenderSettings;
  readonly onTrouble: (error: unknown) => void;
}

interface Waiting {
  readonly record: Parameters<LogSender['write']>;
  /** Whether the site's level decides about it. */
  readonly isFiltered: boolean;
}

/** Beyond that many records the site is not waited for any longer. */
const maxWaiting = 10_000;

/** Keeps records as they came until {@link settle} says where they belong; from then on it is a LogSender. */
export class LateSender implements LogSink, Guarded {
  readonly #options: LateSenderOptions;
  readonly #transport = new LateTransport();
  readonly #settled: Promise<void>;
  #resolveSettled: () => void = () => {};
  #onSettled: Array<(level: LevelName) => void> = [];
  #level: LevelName | undefined;
  #waiting: Waiting[] = [];
  #sender: LogSender | undefined;

  constructor(options: LateSenderOptions) {
    this.#options = options;
    this.#settled = new Promise((resolve) => {
      this.#resolveSettled = resolve;
    });
  }

  get isBusy(): boolean {
    return this.#sender?.isBusy ?? false;
  }

  /** The site is known or, without parameters, will not be: then records go to the spool only. */
  settle(settings: SenderSettings = this.#options.fallback, transport?: LogTransport): void {
    this.#begin(settings);
    if (transport !== undefined) this.#transport.connect(transport);
    this.#level = settings.level;
    for (const tell of this.#onSettled) tell(settings.level);
    this.#onSettled = [];
    this.#resolveSettled();
  }

  /** Calls back with the site's level as soon as it is known. */
  onSettled(tell: (level: LevelName) => void): void {
    if (this.#level === undefined) this.#onSettled.push(tell);
    else tell(this.#level);
  }

  /** @param isFiltered whether, until the site is known, its level is still to decide about the record */
  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    isFiltered = false,
  ): void {
    if (this.#sender !== undefined) {
      this.#sender.write(level, logger, message, fields, trace);
      return;
    }
    const now = this.#options.clock.now();
    this.#waiting.push({ record: [level, logger, message, fields, trace, now], isFiltered });
    if (this.#waiting.length > maxWaiting) this.#begin(this.#options.fallback);
  }

  async flush(timeoutMs?: number): Promise<void> {
    await this.#settled;
    await this.#sender?.flush(timeoutMs);
  }

  async rest(): Promise<void> {
    await this.#sender?.rest();
  }

  async close(): Promise<void> {
    await this.#settled;
    await this.#sender?.close();
  }

  abandon(): void {
    this.#begin(this.#options.fallback).abandon();
  }

  #begin({ spoolDirectory, timezone, level }: SenderSettings): LogSender {
    if (this.#sender !== undefined) return this.#sender;
    const { name, clock, onTrouble } = this.#options;
    const sender = new LogSender({
      name,
      clock,
      onTrouble,
      spoolDirectory,
      timezone,
      transport: this.#transport,
    });
    this.#sender = sender;
    const least = LogLevels.get(level)?.levelno ?? 0;
    for (const { record, isFiltered } of this.#waiting) {
      if (!isFiltered || (LogLevels.get(record[0])?.levelno ?? 0) >= least) sender.write(...record);
    }
    this.#waiting = [];
    return sender;
  }
}

/** Refuses until it is connected. */
class LateTransport implements LogTransport {
  #transport: LogTransport | undefined;
  #onAnswer: (answer: LogAnswer) => void = () => {};

  connect(transport: LogTransport): void {
    this.#transport = transport;
    transport.listen((answer) => this.#onAnswer(answer));
    this.#onAnswer({ type: 'log.ready' });
  }

  listen(onAnswer: (answer: LogAnswer) => void): void {
    this.#onAnswer = onAnswer;
  }

  async deliver(message: OutgoingRecords | OutgoingProbe): Promise<void> {
    if (this.#transport === undefined) throw new LayerUnavailableError('the site is not loaded yet');
    await this.#transport.deliver(message);
  }

  async rest(): Promise<void> {
    await this.#transport?.rest();
  }

  async close(): Promise<void> {
    await this.#transport?.close();
  }
}
