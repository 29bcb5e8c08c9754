// The receiving end of a log record: the one writer of lino.log.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import { ownerState } from '../owner.js';
import { batchProblem } from './batch.js';
import { Checkpointer } from './checkpointer.js';
import { type Composition, compose, type NoteFormatter } from './compose.js';
import { formatHead, formatRecord, noSender } from './format.js';
import { type Entry, Inbox, type Reply, type Standing } from './inbox.js';
import { noteLogger } from './ledger.js';
import { LedgerFile } from './ledger-file.js';
import type { LogProbe, LogRecords } from './messages.js';
import type { PositionStore } from './positions.js';
import { Timestamps } from './timestamp.js';

/** A batch that was not what it said. Its sender gets no acknowledgement. */
export interface Refusal {
  readonly sender: string;
  readonly first: number;
  readonly count: number;
  readonly problem: string;
}

export interface LogWriterOptions {
  /** The log file. It and its directory are made if need be. */
  readonly path: string;
  readonly clock: Clock;
  readonly positions: PositionStore;
  readonly timezone?: string | undefined;
  /**
   * `batch` (default): a record is acknowledged when the disk has it, and so outlives a power failure. `never`: when the
   * system has it, which outlives the end of any process.
   */
  readonly sync?: 'batch' | 'never' | undefined;
  /** Told once when the file cannot be written, and with undefined when it can again. Must not throw. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  /** Told when a checkpoint cannot be saved or read. The log goes on; a start will take longer. */
  readonly onCheckpointTrouble?: ((error: unknown) => void) | undefined;
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
  /** Whether records of a sender lie in a spool file that will be adopted. */
  readonly isSpooled?: ((sender: string, epoch: string) => Promise<boolean>) | undefined;
}

/** How the writer is doing; counts since it was made. */
export interface LogWriterStatus {
  /** Since when the file cannot be written, in ms; undefined when all is well. */
  readonly troubleSince: number | undefined;
  readonly records: number;
  readonly bytes: number;
  /** Writes to the file, each of one or many batches. */
  readonly writes: number;
  /** Records that came again. */
  readonly repeated: number;
  /** Records that were told to be lost. */
  readonly lost: number;
  /** Batches that were refused. */
  readonly refused: number;
  readonly senders: number;
  /** Bytes that wait to be written. */
  readonly pendingBytes: number;
}

/** More is not accepted; senders have it still. */
const maxPendingBytes = 32 * 1024 ** 2;
const firstRetryMs = 100;
const longestRetryMs = 5000;
const holeCheckMs = 1000;
/** A sender that was silent for so long behind a hole is looked after. */
const silentMs = 10_000;
/** What it sent behind the hole is given up then; it has that still. */
const forgetHeldMs = 60_000;

/**
 * Appends the batches of all senders to one file, each record exactly once and each sender's in order.
 *
 * *Nothing doubled.* The file is its own ledger ({@link Ledger}): the writer knows the last number of each sender, and cuts
 * from a batch what is in the file already. When it starts, it reads back what stands behind its last checkpoint. If
 * another writer has appended in the meantime, it notices by the size and reads that, too.
 *
 * *Nothing lost.* A number is acknowledged when the file has it. A batch behind a hole is held, and its sender asked
 * for what is missing; if that cannot come any more, a note says what is lost.
 *
 * *Nothing split.* Batches consist of whole records. A write that fails half way is taken back; of one that was cut
 * short by a crash, the next start removes the unfinished record.
 *
 * Batches that arrive during a write go out together in the next, with one sync and one acknowledgement a sender.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #timestamps: Timestamps;
  readonly #inbox = new Inbox();
  readonly #file: LedgerFile;
  readonly #checkpointer: Checkpointer;
  /** Whether the file has been read back, so that it is known what is missing. */
  #isRecovered = false;
  #shallReopen = false;
  #isStopping = false;

  #pending: Entry[] = [];
  #pendingBytes = 0;
  /** Notes of the writer that belong to no sender. */
  #notes: string[] = [];
  #work: Promise<void> = Promise.resolve();
  #isWorking = false;
  #wake: () => void = () => {};
  #retryMs = firstRetryMs;
  #troubleSince: number | undefined;
  /** Resolves when trouble begins. */
  #trouble = signal();
  #cancelHoleCheck: (() => void) | undefined;
  readonly #counts = { records: 0, bytes: 0, writes: 0, repeated: 0, lost: 0, refused: 0 };

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#timestamps = new Timestamps(options.timezone);
    const found = (sender: string, epoch: string, last: number) =>
      this.#inbox.standing(sender, epoch, options.clock.now()).found(last);
    this.#file = new LedgerFile({
      path: options.path,
      reader: {
        records: (sender, epoch, _first, last) => found(sender, epoch, last),
        lost: (sender, epoch, _from, to) => found(sender, epoch, to),
        turn: found,
      },
      begin: () => this.#formatNote('INFO', 'the log begins', { file: randomUUID() }),
      onRepair: (bytes) => this.#noteRepair(bytes),
    });
    this.#checkpointer = new Checkpointer({
      clock: options.clock,
      store: options.positions,
      inbox: this.#inbox,
      file: this.#file,
      onTrouble: options.onCheckpointTrouble ?? (() => {}),
    });
  }

  get status(): LogWriterStatus {
    const senders = [...this.#inbox].length;
    return { troubleSince: this.#troubleSince, ...this.#counts, senders, pendingBytes: this.#pendingBytes };
  }

  /**
   * Opens the file and reads back what no checkpoint tells. Resolves when that is done, or has failed for the first
   * time: a directory that cannot be written does not keep the writer from starting, it goes on trying.
   */
  async start(): Promise<void> {
    await this.#checkpointer.load();
    this.#shallReopen = true;
    this.#startWork();
    await this.settled();
  }

  /** Takes a batch, or answers a probe. Returns at once; the acknowledgement comes through `reply`. */
  accept(request: LogRecords | LogProbe, reply: Reply): void {
    // Until the file was read back nobody can say what is missing. Senders try again.
    if (!this.#isRecovered || this.#isStopping) return;
    if (request.type === 'log.probe') this.#answerProbe(request, reply);
    else this.#acceptBatch(request, reply);
  }

  /** Resolves when everything that was accepted so far was written, or the file cannot be written now. */
  async settled(): Promise<void> {
    while (this.#isWorking && this.#troubleSince === undefined) {
      await Promise.race([this.#work, this.#trouble.promise]);
    }
  }

  /** Finishes the write in hand, closes the file and opens its path anew, for a log that was rotated. */
  async reopen(): Promise<void> {
    if (this.#isStopping) return;
    this.#shallReopen = true;
    this.#wake();
    this.#startWork();
    await this.settled();
  }

  /** Writes what was accepted, if that is possible, and closes the file. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelHoleCheck?.();
    this.#wake();
    await this.#work;
    if (this.#isRecovered) await this.#checkpointer.save();
    await this.#file.close();
  }

  // Taking batches

  #acceptBatch(batch: LogRecords, reply: Reply): void {
    const problem = batchProblem(batch.bytes, batch.sender, batch.first, batch.count);
    if (problem !== undefined) {
      this.#counts.refused++;
      const { sender, first, count } = batch;
      this.#options.onRefused?.({ sender, first, count, problem });
      return;
    }
    if (this.#pendingBytes > maxPendingBytes) return;
    const now = this.#options.clock.now();
    const standing = this.#inbox.standing(batch.sender, batch.epoch, now);
    Object.assign(standing, { heardAt: now, owner: batch.owner, reply });
    const last = batch.first + batch.count - 1;
    this.#counts.repeated += Math.max(0, Math.min(standing.taken, last) - batch.first + 1);
    this.#enqueue(this.#inbox.accept(batch, now));
    this.#askForMissing(standing, now);
    // No write will acknowledge it again.
    if (last <= standing.written) this.#acknowledge(standing);
  }

  #answerProbe({ sender, epoch }: LogProbe, reply: Reply): void {
    const standing = this.#inbox.find(sender, epoch);
    if (standing === undefined) {
      reply({ type: 'log.ack', sender, epoch, last: 0 });
      return;
    }
    standing.heardAt = this.#options.clock.now();
    standing.reply = reply;
    // Else the write that is under way will answer.
    if (standing.written === standing.taken) this.#acknowledge(standing);
  }

  #enqueue(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      this.#pending.push(entry);
      this.#pendingBytes += entry.bytes.length;
    }
    this.#startWork();
  }

  #askForMissing(standing: Standing, now: number): void {
    if (standing.held.size === 0) return;
    const { sender, epoch, written } = standing;
    if (this.#inbox.shouldAsk(standing, now)) {
      standing.reply?.({ type: 'log.resend', sender, epoch, from: written + 1 });
    }
    this.#cancelHoleCheck ??= this.#options.clock.after(holeCheckMs, () => void this.#checkHoles());
  }

  #acknowledge({ sender, epoch, written, reply }: Standing): void {
    reply?.({ type: 'log.ack', sender, epoch, last: written });
  }

  // Holes whose sender is silent

  /** Looks after them until there are none. Never rejects. */
  async #checkHoles(): Promise<void> {
    const { clock } = this.#options;
    for (const standing of this.#inbox) {
      if (standing.held.size > 0) await this.#checkHole(standing, clock.now() - standing.heardAt);
    }
    const isMore = [...this.#inbox].some((standing) => standing.held.size > 0);
    const again = isMore && !this.#isStopping;
    this.#cancelHoleCheck = again ? clock.after(holeCheckMs, () => void this.#checkHoles()) : undefined;
  }

  async #checkHole(standing: Standing, silenceMs: number): Promise<void> {
    if (silenceMs < silentMs) return;
    const { sender, epoch, owner } = standing;
    const isDead = owner !== undefined && ownerState(owner) === 'dead';
    const isSpooled = (await this.#options.isSpooled?.(sender, epoch)) ?? false;
    if (isDead && !isSpooled) this.#enqueue(this.#inbox.giveUpHole(standing));
    // A sender that lives, or is dead and has a spool, has everything that is held here.
    else if (silenceMs > forgetHeldMs) this.#inbox.drop(standing);
  }

  // Writing

  #startWork(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#work = this.#workUntilDone();
  }

  /** Never rejects. */
  async #workUntilDone(): Promise<void> {
    while (this.#pending.length > 0 || this.#notes.length > 0 || this.#shallReopen) {
      try {
        await this.#turn();
        this.#noteTrouble(undefined);
      } catch (error) {
        this.#noteTrouble(error);
        if (this.#isStopping) break;
        await this.#pause();
      }
    }
    // In the same step as the look at what is pending, so that nothing can come in between.
    this.#isWorking = false;
  }

  async #turn(): Promise<void> {
    if (this.#shallReopen) await this.#file.close();
    const isNewFile = await this.#file.ready();
    // If the new file were renamed, too, and no checkpoint named it, the next start would not look into it.
    if (isNewFile || this.#shallReopen) await this.#checkpointer.save();
    this.#shallReopen = false;
    this.#isRecovered = true;
    await this.#write();
  }

  async #write(): Promise<void> {
    const notes = this.#notes.slice();
    const composition = compose(this.#pending, this.#file.epochs, this.#formatNote);
    const buffers = [...notes.map((note) => Buffer.from(note)), ...composition.buffers];
    if (buffers.length > 0) {
      await this.#file.append(buffers, this.#options.sync !== 'never');
      this.#counts.writes++;
    }
    this.#notes.splice(0, notes.length);
    this.#commit(composition);
  }

  /** It is on disk: remembers it and tells the senders. */
  #commit(composition: Composition): void {
    const done = this.#pending.splice(0, composition.entries);
    for (const { bytes } of done) this.#pendingBytes -= bytes.length;
    for (const [sender, epoch] of composition.epochs) this.#file.epochs.set(sender, epoch);
    for (const [standing, number] of composition.written) standing.found(number);
    for (const standing of new Set(done.map((entry) => entry.standing))) this.#acknowledge(standing);
    this.#counts.records += composition.records;
    this.#counts.bytes += composition.bytes;
    this.#counts.lost += composition.lost;
    this.#checkpointer.saveLater();
  }

  readonly #formatNote: NoteFormatter = (level, message, fields) => {
    const time = this.#timestamps.format(this.#options.clock.now());
    return formatRecord(formatHead(time, level, noSender, noteLogger), { message, fields });
  };

  #noteRepair(bytes: number): void {
    const message = `the last record was not finished when its writer ended: ${bytes} bytes removed, the sender sends it again`;
    this.#notes.push(this.#formatNote('WARNING', message));
  }

  // Trouble

  #noteTrouble(error: unknown): void {
    if (error === undefined) {
      this.#retryMs = firstRetryMs;
      if (this.#troubleSince === undefined) return;
      this.#troubleSince = undefined;
      this.#trouble = signal();
      this.#options.onTrouble?.(undefined);
    } else if (this.#troubleSince === undefined) {
      this.#troubleSince = this.#options.clock.now();
      this.#trouble.resolve();
      this.#options.onTrouble?.(error);
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = signal();
    const cancel = this.#options.clock.after(this.#retryMs, resolve);
    this.#wake = resolve;
    await promise;
    cancel();
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
  }
}

interface Signal {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function signal(): Signal {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
