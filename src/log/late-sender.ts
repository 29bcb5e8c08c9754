// A sender whose site is still being loaded: takes records at once, and makes lines of them when it knows how.

import { LayerUnavailableError } from '../../channels/index.js';
import type { Clock } from '../clock.js';
import type { Guarded } from './exit-guard.js';
import type { Fields } from './fields.js';
import type { FormatName } from './formats/line-format.js';
import type { LevelName } from './levels.js';
import type { LogAnswer } from './messages.js';
import { LogSender } from './sender.js';
import type { LogSink } from './sink.js';
import type { LogTransport, Outgoing } from './transport.js';
import type { SenderTuning } from './tuning.js';

/** What the site says about its log. */
export interface SenderSettings {
  readonly spoolDirectory: string;
  readonly timezone?: string | undefined;
  readonly format?: FormatName | undefined;
  readonly tuning?: SenderTuning | undefined;
  /** Makes known which records are wanted, just before those are looked at that came so far. */
  readonly settleLevels: () => void;
}

export interface LateSenderOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Counts when the process ends, or too many records come, before the site is known. */
  readonly fallback: SenderSettings;
  readonly onTrouble: (error: unknown) => void;
  /** As for LogSender. */
  readonly onLost?: ((count: number) => void) | undefined;
}

interface Waiting {
  readonly at: number;
  readonly record: (at: number) => void;
}

/** Beyond that many records the site is not waited for any longer. */
const maxWaiting = 10_000;

/** Keeps records as they came until {@link settle} says where they belong; from then on it is a LogSender. */
export class LateSender implements LogSink, Guarded {
  readonly #options: LateSenderOptions;
  readonly #transport = new LateTransport();
  readonly #settled: Promise<void>;
  #resolveSettled: () => void = () => {};
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
    // First, since what has waited is sent as soon as the sender begins.
    if (transport !== undefined) this.#transport.connect(transport);
    // Another directory would change nothing for one that has begun; which records are wanted may change at any time.
    if (this.#sender === undefined) this.#begin(settings);
    else settings.settleLevels();
    this.#resolveSettled();
  }

  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    at?: number,
  ): void {
    if (this.#sender !== undefined) this.#sender.write(level, logger, message, fields, trace, at);
    else this.defer((since) => this.write(level, logger, message, fields, trace, at ?? since));
  }

  defer(record: (at: number | undefined) => void): void {
    if (this.#sender !== undefined) {
      record(undefined);
      return;
    }
    this.#waiting.push({ at: this.#options.clock.now(), record });
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

  #begin({ spoolDirectory, timezone, tuning, format, settleLevels }: SenderSettings): LogSender {
    if (this.#sender !== undefined) return this.#sender;
    const { name, clock, onTrouble, onLost } = this.#options;
    const sender = new LogSender({
      name,
      clock,
      onTrouble,
      onLost,
      spoolDirectory,
      tellsPlaces: true,
      tuning,
      timezone,
      format,
      transport: this.#transport,
    });
    this.#sender = sender;
    settleLevels();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { at, record } of waiting) record(at);
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

  async deliver(message: Outgoing): Promise<void> {
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
