// The sending end of a log record: numbered, on disk within 50 ms, and sent until it is acknowledged.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';
import { LinodError } from '../errors.js';
import { ownProcess } from '../owner.js';
import type { Run } from './batch.js';
import type { Fields } from './fields.js';
import { lineFormat } from './formats/formats.js';
import type { FormatName, LineFormat } from './formats/line-format.js';
import type { LevelName } from './levels.js';
import type { LogAnswer } from './messages.js';
import { senderLabel } from './names.js';
import { droppedCount, droppedSentence, Pressure } from './pressure.js';
import type { LogSink } from './sink.js';
import { Spool, type SpooledRun, type SpoolLimits } from './spool.js';
import { batchBytes } from './spool-file.js';
import { Timestamps } from './timestamp.js';
import type { LogTransport, OutgoingRecords, OutgoingSpooled } from './transport.js';
import { defaultTuning, type SenderTuning } from './tuning.js';

export interface LogSenderOptions {
  /** What the log calls this process: `web` becomes `web[812]`. */
  readonly name: string;
  /** Default: this process's number. */
  readonly pid?: number | undefined;
  readonly transport: LogTransport;
  /** Where records wait that are not acknowledged; shared by all senders of a site on one machine. */
  readonly spoolDirectory: string;
  /** The zone of the times in the log; the system's when left out. */
  readonly timezone?: string | undefined;
  /** How records are written; default `text`. */
  readonly format?: FormatName | undefined;
  readonly clock: Clock;
  /** What the site's settings say. */
  readonly tuning?: Partial<SenderTuning> | undefined;
  readonly limits?: Partial<SpoolLimits> | undefined;
  /**
   * Whether the writer is told where records lie in the spool instead of being sent them, until it says that it cannot read
   * them there. Then they pass through no layer, and a message stands for as many of them as there are. Default false.
   */
  readonly tellsPlaces?: boolean | undefined;
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
/** Batches that may be under way with their bytes, and without. */
const windowSize = 16;
const maxPlaces = 64;
/** When so many are under way without, the next is told so long after the last: what comes meanwhile goes along with it. */
const placesInARow = 2;
const placeEveryMs = 20;
/** While nothing is taken, so often is looked whether there is room again. */
const lookForRoomMs = 100;
/** Nobody answered for so long: nobody listens. */
const answerMs = 1000;
const firstProbeMs = 100;
const longestProbeMs = 5000;
/** Without a new record for so long, a spool file of which all is acknowledged is removed. */
const tidyMs = 1000;

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
 * A record becomes a line at once and joins a buffer. At 64 kB or after 40 ms the buffer is a batch: it is
 * appended to the spool, a queue of files, and from then on survives this process. Then it is sent. The writer
 * acknowledges the last number that is on its disk, and what is acknowledged leaves the spool.
 *
 * The sender is in one of these modes:
 *
 * - *sending*: up to 16 batches are under way. What is acknowledged makes room for the next, which comes from the
 *   buffer or, if the writer has fallen behind, from the spool. When the writer misses something it asks, and
 *   everything after the last acknowledged number is sent again (go-back-N). No answer for a second, or a
 *   layer that refuses: *waiting*.
 * - *waiting*: nothing but a tiny probe is sent, now and then. Any answer, or the announcement of a logger
 *   coroutine: *sending*, from the last acknowledged number on.
 * - *closed*: records only go to the spool, for the logger coroutine to adopt when this process has ended.
 *
 * It holds no timer and no lock that would keep the process alive.
 */
export class LogSender implements LogSink {
  /** As it stands in each line, `web[812]`. */
  readonly label: string;
  /** Tells this sender from another with the same label, before it or beside it. */
  readonly epoch: string;
  readonly #clock: Clock;
  readonly #onLost: (count: number) => void;
  readonly #transport: LogTransport;
  readonly #format: LineFormat;
  readonly #timestamps: Timestamps;
  readonly #spool: Spool;
  readonly #gatherMs: number;
  readonly #pressure = new Pressure();
  #pressureAt = 0;
  #mode: 'sending' | 'waiting' | 'closed' = 'sending';

  #number = 0;
  #buffer = '';
  #scratch = Buffer.alloc(0);
  #buffered = 0;
  #bufferedSince = 0;
  #cancelGather: (() => void) | undefined;

  /** The last number that was kept: later ones were refused by a full spool. */
  #kept = 0;
  #acked = 0;
  /** What is not acknowledged and has been, or is next to be, handed to the transport. */
  #window: Array<Run | SpooledRun> = [];
  /** How many of the window were handed to the transport. */
  #sent = 0;
  /** The last number that entered the window. */
  #taken = 0;
  #isPumping = false;
  #placeAt = 0;
  #cancelPace: (() => void) | undefined;
  readonly #mayTellPlaces: boolean;
  #tellsPlaces: boolean;

  #cancelAnswerTimer: (() => void) | undefined;
  #cancelProbe: (() => void) | undefined;
  #cancelTidy: (() => void) | undefined;
  #probeMs = firstProbeMs;
  readonly #waiters = new Set<() => void>();
  #closing: Promise<void> | undefined;

  constructor(options: LogSenderOptions) {
    this.label = senderLabel(options.name, options.pid ?? process.pid);
    this.epoch = `${options.clock.now().toString(36)}-${randomBytes(4).toString('hex')}`;
    const tuning = { ...defaultTuning, ...options.tuning };
    this.#clock = options.clock;
    this.#onLost = options.onLost ?? (() => {});
    this.#gatherMs = tuning.gatherMs;
    this.#mayTellPlaces = options.tellsPlaces ?? false;
    this.#tellsPlaces = this.#mayTellPlaces;
    this.#transport = options.transport;
    this.#format = lineFormat(options.format ?? 'text');
    this.#timestamps = new Timestamps(options.timezone, this.#format.time);
    this.#spool = new Spool({
      directory: options.spoolDirectory,
      header: { sender: this.label, epoch: this.epoch, owner: ownProcess() },
      clock: options.clock,
      limits: {
        diskBytes: tuning.spoolBytes,
        keeps: tuning.spoolKeeps,
        blockMs: tuning.blockMs,
        syncs: tuning.sync === 'always',
        ...options.limits,
      },
      onTrouble: options.onTrouble ?? (() => {}),
    });
    this.#transport.listen((answer) => this.#onAnswer(answer));
  }

  /** The number of the last record that was accepted, and of the last that is known to be in the log. */
  get progress(): { readonly accepted: number; readonly acknowledged: number } {
    return { accepted: this.#number, acknowledged: this.#acked };
  }

  /** How full the spool is: a source that can wait does so before records are lost for want of room. */
  get spooled(): Spool['size'] {
    return this.#spool.size;
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
    const now = this.#clock.now();
    if (!this.#pressure.admits(level)) {
      this.#lookForRoom(now);
      return;
    }
    const time = this.#timestamps.format(at ?? now);
    const head = this.#format.head(time, level, this.label, ++this.#number, logger);
    this.#buffer += this.#format.record(head, { message, fields, trace });
    if (this.#buffered++ === 0) {
      this.#bufferedSince = now;
      this.#cancelGather = this.#clock.after(this.#gatherMs, () => this.#endBatch());
    }
    // A busy process runs no timers, but its records are to be safe all the same.
    const isLate = now - this.#bufferedSince > this.#gatherMs || now < this.#bufferedSince;
    if (this.#buffer.length >= batchBytes || isLate || this.#mode === 'closed') this.#endBatch();
  }

  /**
   * Resolves when every record so far is acknowledged or, when nobody answers, on disk in the spool.
   *
   * @throws LogNotFlushedError (`LINOD_ERR_LOG_NOT_FLUSHED`) when neither was possible in time: nobody answers,
   *   and the spool cannot be written
   */
  async flush(timeoutMs = 5000): Promise<void> {
    this.#endBatch();
    const last = this.#kept;
    const isFlushed = () => this.#acked >= last || (this.#mode !== 'sending' && this.#isSpoolSafe());
    if (isFlushed()) return;
    await this.#wait(isFlushed, timeoutMs);
    if (!isFlushed() && !this.#isSpoolSafe()) throw new LogNotFlushedError(timeoutMs);
  }

  /** What is in memory since the disk was slow or full is written now, if that is possible, as somebody waits for it. */
  #isSpoolSafe(): boolean {
    this.#spool.catchUp();
    return this.#spool.isSafe;
  }

  /** Flushes and gives up what could keep the process alive. The next record opens it anew. */
  async rest(): Promise<void> {
    await this.flush();
    await this.#transport.rest();
  }

  /** Whether there are records that have a chance of being acknowledged now. */
  get isBusy(): boolean {
    return this.#mode === 'sending' && this.#acked < this.#kept + this.#buffered;
  }

  /** Flushes and ends. Later records go to the spool. Safe to call twice. @throws LogNotFlushedError as `flush` */
  close(timeoutMs?: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** The process ends at once: brings to disk what is not acknowledged. Synchronous; never throws. */
  abandon(): void {
    this.#end();
    const dropped = this.#tellLastDropped();
    this.#endBatch();
    this.#spool.persist();
    const refused = this.#number - this.#kept;
    const unsaved = this.#spool.unsafeCount + refused;
    // Among these is the record that tells of what was dropped.
    if (unsaved > 0) this.#onLost(dropped === 0 ? unsaved : unsaved - 1 + dropped);
    this.#spool.close();
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    try {
      await this.flush(timeoutMs);
    } finally {
      this.#end();
      this.#tellLastDropped();
      this.#endBatch();
      await this.#transport.close();
      this.#spool.close();
    }
  }

  #end(): void {
    this.#mode = 'closed';
    this.#window = [];
    this.#sent = 0;
    const timers = [this.#cancelAnswerTimer, this.#cancelProbe, this.#cancelTidy, this.#cancelPace];
    for (const cancel of timers) cancel?.();
    this.#wakeWaiters();
  }

  #lookForRoom(now: number): void {
    if (now - this.#pressureAt < lookForRoomMs && now >= this.#pressureAt) return;
    this.#pressureAt = now;
    this.#pressure.update(this.#spool.fill);
    this.#tellDropped(now);
  }

  /** There will be no later moment. A full spool has a reserve, in which this finds its place. */
  #tellLastDropped(): number {
    this.#pressure.update(0);
    return this.#tellDropped(this.#clock.now());
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
    const first = this.#number - this.#buffered + 1;
    const run = { first, count: this.#buffered, bytes: this.#encode(this.#buffer) };
    this.#buffer = '';
    this.#buffered = 0;
    const isKept = this.#spool.append(run);
    // Each batch counts: a fast process fills a small spool within the time between two looks.
    this.#pressureAt = Number.NEGATIVE_INFINITY;
    this.#lookForRoom(this.#clock.now());
    if (!isKept) return;
    this.#kept = this.#number;
    this.#takeDirectly(run);
    void this.#pump();
  }

  /** What stays in the window needs memory of its own; what is only written to the spool does not. */
  #encode(text: string): Buffer {
    if (!this.#tellsPlaces) return Buffer.from(text);
    // No character takes more than three bytes for each of its UTF-16 units.
    if (text.length * 3 > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(text.length * 3);
    return this.#scratch.subarray(0, this.#scratch.write(text));
  }

  /** Saves reading a run back from disk, if it is the next to be sent. */
  #takeDirectly(run: Run): void {
    const isNext = !this.#tellsPlaces && this.#taken + 1 === run.first;
    if (this.#mode === 'sending' && isNext && this.#window.length < windowSize) this.#take(run);
  }

  #take(run: Run | SpooledRun): void {
    this.#window.push(run);
    this.#taken = lastOf(run);
  }

  /** Hands on what is to be sent, one batch after the other. Never rejects. */
  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let run = this.#nextToSend(); run !== undefined; run = this.#nextToSend()) {
      this.#sent++;
      this.#expectAnswer();
      try {
        await this.#transport.deliver(this.#message(run));
      } catch {
        // A full channel and a layer that is away are no news: the spool has the records, so ask again later.
        if (this.#mode === 'sending') this.#startWaiting(firstProbeMs);
      }
    }
    this.#isPumping = false;
  }

  #nextToSend(): Run | SpooledRun | undefined {
    if (this.#mode !== 'sending') return undefined;
    if (this.#sent === this.#window.length && this.#mayTake()) {
      const run = this.#taken < this.#kept ? this.#fromSpool() : undefined;
      if (run !== undefined) this.#take(run);
    }
    return this.#window[this.#sent];
  }

  #mayTake(): boolean {
    const { length } = this.#window;
    if (!this.#tellsPlaces) return length < windowSize;
    const now = this.#clock.now();
    const waitMs = this.#placeAt + placeEveryMs - now;
    if (length >= placesInARow && waitMs > 0 && waitMs <= placeEveryMs) {
      this.#cancelPace ??= this.#clock.after(waitMs, () => {
        this.#cancelPace = undefined;
        void this.#pump();
      });
      return false;
    }
    this.#placeAt = now;
    return length < maxPlaces;
  }

  #fromSpool(): Run | SpooledRun | undefined {
    const place = this.#tellsPlaces ? this.#spool.place(this.#taken) : undefined;
    return place ?? this.#spool.next(this.#taken);
  }

  #message(run: Run | SpooledRun): OutgoingRecords | OutgoingSpooled {
    const { label: sender, epoch } = this;
    const lowest = Math.min(this.#spool.base ?? run.first, this.#window[0]?.first ?? run.first);
    const batch = {
      sender,
      epoch,
      owner: ownProcess(),
      first: run.first,
      count: run.count,
      acked: this.#acked,
      base: Math.max(lowest, Math.min(this.#acked + 1, run.first)),
    };
    return 'place' in run
      ? { type: 'log.spooled', ...batch, ...run.place }
      : { type: 'log.records', ...batch, bytes: run.bytes };
  }

  #expectAnswer(): void {
    this.#cancelAnswerTimer ??= this.#clock.after(answerMs, () => this.#startWaiting(0));
  }

  #startWaiting(probeInMs: number): void {
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = undefined;
    this.#mode = 'waiting';
    this.#goBack();
    this.#probeMs = firstProbeMs;
    this.#cancelProbe = this.#clock.after(probeInMs, () => this.#probe());
    this.#wakeWaiters();
  }

  #probe(): void {
    const { label: sender, epoch } = this;
    // What comes of it is told by the answer, or by its absence.
    this.#transport.deliver({ type: 'log.probe', sender, epoch }).catch(() => undefined);
    this.#cancelProbe = this.#clock.after(this.#probeMs, () => this.#probe());
    this.#probeMs = Math.min(this.#probeMs * 2, longestProbeMs);
  }

  #onAnswer(answer: LogAnswer): void {
    if (this.#mode === 'closed') return;
    if (answer.type === 'log.ready') {
      // This writer may read what the last one could not.
      this.#tellsPlaces = this.#mayTellPlaces;
      this.#startSending();
      return;
    }
    if (answer.sender !== this.label || answer.epoch !== this.epoch) return;
    this.#advance(answer.type === 'log.ack' ? answer.last : answer.from - 1);
    if (answer.type === 'log.resend' && answer.inline === true) this.#tellsPlaces = false;
    const isBehind = answer.type === 'log.resend' && answer.from === this.#acked + 1;
    if (this.#mode === 'waiting' || isBehind) this.#startSending();
    void this.#pump();
  }

  /** Sends from the last acknowledged number on. */
  #startSending(): void {
    this.#cancelProbe?.();
    this.#mode = 'sending';
    this.#goBack();
    void this.#pump();
  }

  #goBack(): void {
    this.#window = [];
    this.#sent = 0;
    this.#taken = this.#acked;
  }

  #advance(acked: number): void {
    if (acked <= this.#acked || acked > this.#number) return;
    this.#acked = acked;
    this.#taken = Math.max(this.#taken, acked);
    while (this.#window[0] !== undefined && lastOf(this.#window[0]) <= acked) {
      this.#window.shift();
      this.#sent = Math.max(0, this.#sent - 1);
    }
    this.#spool.release(acked);
    this.#lookForRoom(this.#clock.now());
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = undefined;
    if (this.#sent > 0) this.#expectAnswer();
    else this.#tidyLater();
    this.#wakeWaiters();
  }

  #tidyLater(): void {
    this.#cancelTidy?.();
    this.#cancelTidy = this.#clock.after(tidyMs, () => this.#spool.tidy());
  }

  /** Unlike everything else here, someone waiting does keep the process alive. */
  async #wait(isOver: () => boolean, timeoutMs: number): Promise<void> {
    const hold = setInterval(() => {}, 2 ** 30);
    const { promise, resolve } = withResolver();
    const check = () => {
      if (isOver()) resolve();
    };
    this.#waiters.add(check);
    const cancel = this.#clock.after(timeoutMs, resolve);
    await promise;
    cancel();
    this.#waiters.delete(check);
    clearInterval(hold);
  }

  #wakeWaiters(): void {
    for (const check of this.#waiters) check();
  }
}

function lastOf(run: { readonly first: number; readonly count: number }): number {
  return run.first + run.count - 1;
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
