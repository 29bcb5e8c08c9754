// The sending end of a log record: numbered, on disk within 50 ms, and sent until it is acknowledged.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { LinodError } from '../../base/errors.js';
import type { LevelName } from '../../base/log-levels.js';
import { ownProcess } from '../../base/process-owner.js';
import { batchBytes, lastOf } from '../batch.js';
import type { Fields } from '../fields.js';
import { lineFormat } from '../format/formats.js';
import type { LineFormat } from '../format/line-format.js';
import { Timestamps } from '../format/timestamp.js';
import { senderLabel } from '../names.js';
import type { LogSink } from '../sink.js';
import type { Guarded } from './exit-guard.js';
import { Forwarder } from './forwarder.js';
import { droppedCount, droppedSentence, Pressure } from './pressure.js';
import type { SenderSettings } from './settings.js';
import { Spool } from './spool.js';
import type { LogTransport } from './transport.js';

export interface LogSenderOptions {
  /** What the log calls this process: `web` becomes `web[812]`. */
  readonly name: string;
  /** Default: this process's number. */
  readonly pid?: number | undefined;
  readonly clock: Clock;
  /** Left out while they are not known: until {@link LogSender.begin}, records are kept as they came. */
  readonly settings?: SenderSettings | undefined;
  /** Left out, records wait in the spool until {@link LogSender.connect}. */
  readonly transport?: LogTransport | undefined;
  /** Called when the settings are not known and cannot be waited for any longer. Must call `begin`. */
  readonly onHurry?: (() => void) | undefined;
  /** Told once when something is wrong with the spool, and with undefined when it is over. Must not throw. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  /**
   * Told at the very end of the process how many records end with it, since they could neither be written to the spool nor
   * be sent. Must neither wait nor throw.
   */
  readonly onLost?: ((count: number) => void) | undefined;
}

/** The logger name of what a sender says of itself. */
const ownLogger = 'linod.log';
/** While nothing is taken, so often is looked whether there is room again. */
const lookForRoomMs = 100;
/** Without a new record for so long, a spool file of which all is acknowledged is removed. */
const tidyMs = 1000;
/** Beyond that many records the settings are not waited for any longer. */
const maxEarly = 10_000;

/** Not all records could be brought to safety in time. They are kept, and sending them goes on. */
export class LogNotFlushedError extends LinodError {
  constructor(timeoutMs: number) {
    super(
      'LINOD_ERR_LOG_NOT_FLUSHED',
      `within ${timeoutMs} ms the log's records were neither acknowledged nor could they be written to the spool directory`,
    );
  }
}

/**
 * Takes records, and sees to it that each gets into `lino.log`.
 *
 * A record becomes a line at once and joins a buffer. At 64 kB or after 40 ms the buffer is a batch: it is appended to the
 * spool, and from then on survives this process. The {@link Forwarder} sends what is in the spool until it is acknowledged.
 *
 * The sender is in one of these modes:
 *
 * - *early*: it does not know yet what lines look like, and keeps records as they came. `begin`: *open*.
 * - *open*: as above.
 * - *closed*: records only go to the spool, for whoever adopts it when this process has ended.
 *
 * It holds no timer and no lock that would keep the process alive.
 */
export class LogSender implements LogSink, Guarded {
  /** As it stands in each line, `web[812]`. */
  readonly label: string;
  /** Tells this sender from another with the same label, before it or beside it. */
  readonly epoch: string;
  readonly #options: LogSenderOptions;
  readonly #clock: Clock;
  #open: Opened | undefined;
  #early: Array<{ readonly at: number; readonly record: (at: number) => void }> = [];
  #transport: LogTransport | undefined;
  #isClosed = false;
  readonly #pressure = new Pressure();
  #pressureAt = 0;

  #number = 0;
  /** The last number that was kept: later ones were refused by a full spool. */
  #kept = 0;
  #buffer = '';
  #buffered = 0;
  #bufferedSince = 0;
  #cancelGather: (() => void) | undefined;
  #cancelTidy: (() => void) | undefined;
  readonly #waiters = new Set<() => void>();
  #closing: Promise<void> | undefined;

  constructor(options: LogSenderOptions) {
    this.label = senderLabel(options.name, options.pid ?? process.pid);
    this.epoch = `${options.clock.now().toString(36)}-${randomBytes(4).toString('hex')}`;
    this.#options = options;
    this.#clock = options.clock;
    this.#transport = options.transport;
    if (options.settings !== undefined) this.begin(options.settings);
  }

  /** The settings are known: makes lines of what came so far. Does nothing when it has begun. */
  begin(settings: SenderSettings): void {
    if (this.#open !== undefined) return;
    const opened = this.#openWith(settings);
    this.#open = opened;
    if (this.#transport !== undefined) opened.forwarder.connect(this.#transport);
    const early = this.#early;
    this.#early = [];
    for (const { at, record } of early) record(at);
  }

  /** There is a way to the logger coroutine now. */
  connect(transport: LogTransport): void {
    this.#transport = transport;
    this.#open?.forwarder.connect(transport);
  }

  #openWith(settings: SenderSettings): Opened {
    const { spoolDirectory: directory, timezone, format = 'text', gatherMs = 40, limits } = settings;
    const { label: sender, epoch } = this;
    const [clock, owner] = [this.#clock, ownProcess()];
    const { onTrouble } = this.#options;
    const spool = new Spool({ directory, header: { sender, epoch, owner }, clock, limits, onTrouble });
    const onChange = () => this.#onChange();
    const lines = lineFormat(format);
    return {
      spool,
      gatherMs,
      format: lines,
      timestamps: new Timestamps(timezone, lines.time),
      forwarder: new Forwarder({ sender, epoch, owner, spool, clock, onChange }),
    };
  }

  /** The number of the last record that was accepted, and of the last that is known to be in the log. */
  get progress(): { readonly accepted: number; readonly acknowledged: number } {
    return { accepted: this.#number, acknowledged: this.#open?.forwarder.acknowledged ?? 0 };
  }

  /** How full the spool is: a source that can wait does so before records are lost for want of room. */
  get spooled(): Spool['size'] {
    return this.#opened.spool.size;
  }

  /** Whether there are records that have a chance of being acknowledged now. */
  get isBusy(): boolean {
    if (this.#open === undefined) return false;
    const { forwarder } = this.#open;
    return forwarder.isSending && forwarder.acknowledged < this.#kept + this.#buffered;
  }

  /** Whether somebody answers. */
  get isHeard(): boolean {
    return this.#open?.forwarder.isSending === true && this.#open.forwarder.acknowledged > 0;
  }

  /**
   * Accepts a record. Costs about a microsecond; never throws.
   *
   * @param logger the logger's name, as `loggerName` returns it
   * @param trace lines that follow the message, such as a stack
   * @param at when it happened, in ms; now when left out
   */
  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    at?: number,
  ): void {
    const open = this.#open;
    if (open === undefined) {
      this.defer((since) => this.write(level, logger, message, fields, trace, at ?? since));
      return;
    }
    const now = this.#clock.now();
    if (!this.#pressure.admits(level)) {
      this.#lookForRoom(now);
      return;
    }
    const { format, timestamps, gatherMs } = open;
    const head = format.head(timestamps.format(at ?? now), level, this.label, ++this.#number, logger);
    this.#buffer += format.record(head, { message, fields, trace });
    if (this.#buffered++ === 0) {
      this.#bufferedSince = now;
      this.#cancelGather = this.#clock.after(gatherMs, () => this.#endBatch());
    }
    // A busy process runs no timers, but its records are to be safe all the same.
    const isLate = now - this.#bufferedSince > gatherMs || now < this.#bufferedSince;
    if (this.#buffer.length >= batchBytes || isLate || this.#isClosed) this.#endBatch();
  }

  /** While it is not known which records are wanted: keeps what decides that, and writes. */
  defer(record: (at: number | undefined) => void): void {
    if (this.#open !== undefined) {
      record(undefined);
      return;
    }
    this.#early.push({ at: this.#clock.now(), record });
    if (this.#early.length > maxEarly) this.#options.onHurry?.();
  }

  /**
   * Resolves when every record so far is acknowledged or, when nobody answers, on disk in the spool.
   *
   * @throws LogNotFlushedError (`LINOD_ERR_LOG_NOT_FLUSHED`) when neither was possible in time: nobody answers,
   *   and the spool cannot be written
   */
  async flush(timeoutMs = 5000): Promise<void> {
    const { forwarder, spool } = this.#opened;
    this.#endBatch();
    const last = this.#kept;
    const isFlushed = () => forwarder.acknowledged >= last || (!forwarder.isSending && spool.catchUp());
    if (isFlushed()) return;
    forwarder.wake(true);
    await this.#wait(isFlushed, timeoutMs);
    if (!isFlushed() && !spool.catchUp()) throw new LogNotFlushedError(timeoutMs);
  }

  /** Flushes and gives up what could keep the process alive. The next record opens it anew. */
  async rest(): Promise<void> {
    if (this.#open === undefined) return;
    await this.flush();
    await this.#transport?.rest();
  }

  /** Flushes and ends. Later records go to the spool. Safe to call twice. @throws LogNotFlushedError as `flush` */
  close(timeoutMs?: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** The process ends at once: brings to disk what is not acknowledged. Synchronous; never throws. */
  abandon(): void {
    const { spool } = this.#opened;
    const dropped = this.#end();
    spool.persist();
    const unsaved = spool.unsafeCount + this.#number - this.#kept;
    // Among these is the record that tells of what was dropped.
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

  /** @returns how many records were dropped and not told of before */
  #end(): number {
    this.#isClosed = true;
    this.#cancelTidy?.();
    this.#opened.forwarder.close();
    // There will be no later moment. A full spool has a reserve, in which this finds its place.
    this.#pressure.update(0);
    const dropped = this.#tellDropped(this.#clock.now());
    this.#endBatch();
    return dropped;
  }

  /** Begins if it has not. */
  get #opened(): Opened {
    if (this.#open === undefined) this.#options.onHurry?.();
    if (this.#open === undefined) throw new TypeError('the settings of the log are not known');
    return this.#open;
  }

  #lookForRoom(now: number): void {
    if (now - this.#pressureAt < lookForRoomMs && now >= this.#pressureAt) return;
    this.#pressureAt = now;
    this.#pressure.update(this.#opened.spool.fill);
    this.#tellDropped(now);
  }

  /** A record of its own tells how many others had no place. @returns how many */
  #tellDropped(now: number): number {
    const dropped = this.#pressure.report(now);
    if (dropped === undefined) return 0;
    this.write('WARNING', ownLogger, droppedSentence(dropped), { ...dropped });
    return droppedCount(dropped);
  }

  #endBatch(): void {
    if (this.#buffered === 0) return;
    this.#cancelGather?.();
    const { spool, forwarder } = this.#opened;
    const first = this.#number - this.#buffered + 1;
    const batch = { first, count: this.#buffered, bytes: Buffer.from(this.#buffer) };
    this.#buffer = '';
    this.#buffered = 0;
    const isKept = spool.append(batch);
    // Each batch counts: a fast process fills a small spool within the time between two looks.
    this.#pressureAt = Number.NEGATIVE_INFINITY;
    this.#lookForRoom(this.#clock.now());
    if (!isKept) return;
    this.#kept = lastOf(batch);
    forwarder.wake();
  }

  /** More is acknowledged, or nobody answers any more. */
  #onChange(): void {
    if (this.#open === undefined) return;
    if (!this.#isClosed) this.#lookForRoom(this.#clock.now());
    if (this.#open.spool.isEmpty && !this.#isClosed) {
      this.#cancelTidy?.();
      this.#cancelTidy = this.#clock.after(tidyMs, () => this.#open?.spool.tidy());
    }
    for (const check of this.#waiters) check();
  }

  /** Unlike everything else here, someone waiting does keep the process alive. */
  async #wait(isOver: () => boolean, timeoutMs: number): Promise<void> {
    const hold = setInterval(() => {}, 2 ** 30);
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => end());
      const check = () => {
        if (isOver()) end();
      };
      const end = () => {
        cancel();
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
    });
    clearInterval(hold);
  }
}

/** What a sender has from when its settings are known. */
interface Opened {
  readonly format: LineFormat;
  readonly timestamps: Timestamps;
  readonly gatherMs: number;
  readonly spool: Spool;
  readonly forwarder: Forwarder;
}
