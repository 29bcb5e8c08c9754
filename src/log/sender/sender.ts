// The sending end of a log record. It numbers the record, and sends it until it is acknowledged. The record is in the
// spool file after 40 ms, when the event loop is free.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { LinodError } from '../../base/errors.js';
import type { LevelName } from '../../base/log-levels.js';
import { ownProcess } from '../../base/process-owner.js';
import { lastOf } from '../batch.js';
import type { Fields } from '../fields.js';
import { lineFormat } from '../format/formats.js';
import type { LineFormat } from '../format/line-format.js';
import { Timestamps } from '../format/timestamp.js';
import { senderLabel } from '../names.js';
import type { LogSink } from '../sink.js';
import { BatchBuffer } from './batch-buffer.js';
import type { Guarded } from './exit-guard.js';
import { Forwarder } from './forwarder.js';
import { droppedCount, droppedSentence, Pressure } from './pressure.js';
import type { SenderSettings } from './settings.js';
import { Spool } from './spool.js';
import type { LogTransport } from './transport.js';
import { Waiters } from './waiters.js';

export interface LogSenderOptions {
  /** The name of this process in the log: `web` becomes `web[812]`. */
  readonly name: string;
  /** Default: this process's number. */
  readonly pid?: number | undefined;
  readonly clock: Clock;
  /** Without settings, the sender keeps records in memory until {@link LogSender.begin}. */
  readonly settings?: SenderSettings | undefined;
  /** Without a transport, records wait in the spool until {@link LogSender.connect}. */
  readonly transport?: LogTransport | undefined;
  /** Called when the sender cannot wait for its settings any longer. Must call `begin`. */
  readonly onSettingsNeeded?: (() => void) | undefined;
  /** Called once when the spool cannot be written, and with undefined when it can again. Must not throw. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  /**
   * Called at the very end of the process with the number of records that are lost with it: they could
   * neither be sent nor written to the spool. Must neither wait nor throw.
   */
  readonly onLost?: ((count: number) => void) | undefined;
}

/** The logger name of the sender's own records. */
const ownLogger = 'linod.log';
/** A spool file that is acknowledged as a whole is removed after this time without a new record. */
const tidyMs = 1000;
/** Maximum records that wait for the settings. */
const maxEarly = 10_000;

/** Not all records could be saved in time. They are kept, and the sender continues to send them. */
export class LogNotFlushedError extends LinodError {
  constructor(timeoutMs: number) {
    super(
      'LINOD_ERR_LOG_NOT_FLUSHED',
      `after ${timeoutMs} ms, log records are neither acknowledged nor written to the spool directory`,
    );
  }
}

/**
 * Accepts records, and brings each into `lino.log`.
 *
 * A record takes this way: line → {@link BatchBuffer} (64 kB or 40 ms) → {@link Spool} (survives this
 * process) → {@link Forwarder} (sends until acknowledged). {@link Pressure} drops records by level while the
 * spool is nearly full.
 *
 * The sender is in one of these modes:
 *
 * - *early*: the settings are unknown, so it keeps each record as a function call. `begin`: *open*.
 * - *open*: as above. `suspend` only closes the transport until the next record. `close` or `saveAtExit`: *closed*.
 * - *closed*: each record goes to the spool at once, in a new file. After the end of this process, an adopter sends it.
 *
 * Its own timers and locks do not keep the process alive. An open transport may, until `suspend`.
 */
export class LogSender implements LogSink, Guarded {
  /** The label in each line, `web[812]`. */
  readonly label: string;
  /** Distinguishes this sender from others with the same label, earlier or at the same time. */
  readonly epoch: string;
  readonly #options: LogSenderOptions;
  /** Undefined in mode *early*. */
  #pipeline: Pipeline | undefined;
  #early: Array<{ readonly at: number; readonly record: (at: number) => void }> = [];
  #transport: LogTransport | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  readonly #pressure = new Pressure();
  readonly #buffer: BatchBuffer;
  /** The last number that the spool accepted. It lacks the records in the buffer and those of a refused batch. */
  #lastSpooled = 0;
  #cancelTidy: (() => void) | undefined;
  readonly #waiters: Waiters;

  constructor(options: LogSenderOptions) {
    const { name, pid = process.pid, clock, settings, transport } = options;
    this.label = senderLabel(name, pid);
    this.epoch = `${clock.now().toString(36)}-${randomBytes(4).toString('hex')}`;
    this.#options = options;
    this.#transport = transport;
    this.#buffer = new BatchBuffer(clock, () => this.#endBatch());
    this.#waiters = new Waiters(clock);
    if (settings !== undefined) this.begin(settings);
  }

  /** Gives the settings, and writes the records that waited for them. Does nothing after the first call. */
  begin(settings: SenderSettings): void {
    if (this.#pipeline !== undefined) return;
    const pipeline = this.#newPipeline(settings);
    this.#pipeline = pipeline;
    if (this.#transport !== undefined) pipeline.forwarder.connect(this.#transport);
    const early = this.#early;
    this.#early = [];
    for (const { at, record } of early) record(at);
  }

  /** Gives the way to the logger coroutine, and starts sending. */
  connect(transport: LogTransport): void {
    this.#transport = transport;
    this.#pipeline?.forwarder.connect(transport);
  }

  /** The number of the last record that was accepted, and of the last that is known to be in the log. */
  get progress(): { readonly accepted: number; readonly acknowledged: number } {
    return { accepted: this.#buffer.lastNumber, acknowledged: this.#pipeline?.forwarder.acknowledged ?? 0 };
  }

  /** How full the spool is. A source that can wait does so before records are dropped. */
  get spooled(): Spool['size'] {
    return this.#opened.spool.size;
  }

  /** Whether there are records that the logger coroutine will probably acknowledge soon. */
  get isBusy(): boolean {
    if (this.#pipeline === undefined) return false;
    const { forwarder } = this.#pipeline;
    return forwarder.isSending && forwarder.acknowledged < this.#lastSpooled + this.#buffer.count;
  }

  /** Whether a logger coroutine has acknowledged a record and still answers. */
  get isAnswered(): boolean {
    const forwarder = this.#pipeline?.forwarder;
    return forwarder?.isSending === true && forwarder.acknowledged > 0;
  }

  /**
   * Accepts a record. Never waits and never throws.
   *
   * @param logger the logger's name, as `loggerName` returns it
   * @param trace lines that follow the message, such as a stack
   * @param at when it happened, in ms since 1970; default: now
   */
  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    at?: number,
  ): void {
    const pipeline = this.#pipeline;
    if (pipeline === undefined) {
      this.defer((since) => this.write(level, logger, message, fields, trace, at ?? since));
      return;
    }
    const now = this.#options.clock.now();
    if (!this.#pressure.admits(level)) {
      // The record is dropped and counted. A later record reports how many.
      if (this.#pressure.isCheckDue(now)) this.#updatePressure(now);
      return;
    }
    const { format, timestamps, gatherMs } = pipeline;
    const number = this.#buffer.nextNumber();
    const head = format.head(timestamps.format(at ?? now), level, this.label, number, logger);
    const isComplete = this.#buffer.add(format.record(head, { message, fields, trace }), now, gatherMs);
    if (isComplete || this.#isClosed) this.#endBatch();
  }

  /**
   * Calls `record` once the settings are known, with the time of this call; at once, without a time, if they
   * are.
   */
  defer(record: (at: number | undefined) => void): void {
    if (this.#pipeline !== undefined) {
      record(undefined);
      return;
    }
    this.#early.push({ at: this.#options.clock.now(), record });
    if (this.#early.length > maxEarly) this.#options.onSettingsNeeded?.();
  }

  /**
   * Resolves when every record so far is acknowledged or, when nobody answers, on disk in the spool.
   *
   * @throws LogNotFlushedError (`LINOD_ERR_LOG_NOT_FLUSHED`) after `timeoutMs`, when nobody answers and the
   * spool cannot be written
   */
  async flush(timeoutMs = 5000): Promise<void> {
    const { forwarder, spool } = this.#opened;
    this.#endBatch();
    const last = this.#lastSpooled;
    const isFlushed = () => forwarder.acknowledged >= last || (!forwarder.isSending && spool.catchUp());
    if (isFlushed()) return;
    forwarder.wake(true);
    await this.#waiters.wait(isFlushed, timeoutMs);
    if (!isFlushed() && !spool.catchUp()) throw new LogNotFlushedError(timeoutMs);
  }

  /** Flushes and closes what could keep the process alive. The next record opens it again. */
  async suspend(): Promise<void> {
    if (this.#pipeline === undefined) return;
    await this.flush();
    await this.#transport?.suspend();
  }

  /**
   * Flushes and ends. Later records go to the spool. Safe to call twice. @throws LogNotFlushedError as
   * `flush`
   */
  close(timeoutMs?: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** Saves on disk what is not acknowledged, since the process ends now. Synchronous; never throws. */
  saveAtExit(): void {
    const spool = this.#openedAtExit()?.spool;
    if (spool === undefined) return;
    const dropped = this.#end();
    spool.persist();
    const unsaved = spool.unsafeCount + this.#buffer.lastNumber - this.#lastSpooled;
    // The report of the dropped records is itself among the unsaved ones. The records that it counts replace
    // it.
    if (unsaved > 0) this.#options.onLost?.(dropped === 0 ? unsaved : unsaved - 1 + dropped);
    spool.close();
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    const { spool } = this.#opened;
    try {
      await this.flush(timeoutMs);
    } finally {
      this.#end();
      await this.#transport?.close();
      spool.close();
    }
  }

  /** @returns how many dropped records it has just reported */
  #end(): number {
    this.#isClosed = true;
    this.#cancelTidy?.();
    this.#opened.forwarder.close();
    const now = this.#options.clock.now();
    // The last moment to report dropped records. A full spool has a reserve for this report.
    this.#pressure.update(0, now);
    const dropped = this.#logDropped(now);
    this.#endBatch();
    return dropped;
  }

  #newPipeline(settings: SenderSettings): Pipeline {
    const {
      spoolDirectory: directory,
      timezone,
      format: formatName = 'text',
      gatherMs = 40,
      limits,
    } = settings;
    const { clock, onTrouble } = this.#options;
    const { label: sender, epoch } = this;
    const owner = ownProcess();
    const spool = new Spool({ directory, header: { sender, epoch, owner }, clock, limits, onTrouble });
    const onChange = () => this.#onForwarderChange();
    const forwarder = new Forwarder({ sender, epoch, owner, spool, clock, onChange });
    const format = lineFormat(formatName);
    return { format, timestamps: new Timestamps(timezone, format.time), gatherMs, spool, forwarder };
  }

  /** The pipeline. In mode *early*, asks for the settings first. */
  get #opened(): Pipeline {
    if (this.#pipeline === undefined) this.#options.onSettingsNeeded?.();
    if (this.#pipeline === undefined) throw new TypeError('the settings of the log are not known');
    return this.#pipeline;
  }

  /** Without settings there is no spool, and the records in memory are lost. */
  #openedAtExit(): Pipeline | undefined {
    try {
      return this.#opened;
    } catch {
      if (this.#early.length > 0) this.#options.onLost?.(this.#early.length);
      return undefined;
    }
  }

  #endBatch(): void {
    const batch = this.#buffer.take();
    if (batch === undefined) return;
    const { spool, forwarder } = this.#opened;
    const isSpooled = spool.append(batch);
    // After every batch: a fast process can fill a small spool between two checks.
    this.#updatePressure(this.#options.clock.now());
    if (!isSpooled) return;
    this.#lastSpooled = lastOf(batch);
    forwarder.wake();
  }

  #updatePressure(now: number): void {
    this.#pressure.update(this.#opened.spool.fill, now);
    this.#logDropped(now);
  }

  /** Writes a record that reports dropped ones, if it is time. @returns how many it reports */
  #logDropped(now: number): number {
    const dropped = this.#pressure.report(now);
    if (dropped === undefined) return 0;
    this.write('WARNING', ownLogger, droppedSentence(dropped), { ...dropped });
    return droppedCount(dropped);
  }

  /** More is acknowledged, or nobody answers any more. */
  #onForwarderChange(): void {
    if (this.#pipeline === undefined) return;
    const { clock } = this.#options;
    const { spool } = this.#pipeline;
    if (!this.#isClosed) {
      const now = clock.now();
      if (this.#pressure.isCheckDue(now)) this.#updatePressure(now);
      if (spool.isEmpty) {
        this.#cancelTidy?.();
        this.#cancelTidy = clock.after(tidyMs, () => spool.tidy());
      }
    }
    this.#waiters.notify();
  }
}

/** What a sender has once its settings are known. */
interface Pipeline {
  readonly format: LineFormat;
  readonly timestamps: Timestamps;
  readonly gatherMs: number;
  readonly spool: Spool;
  readonly forwarder: Forwarder;
}
