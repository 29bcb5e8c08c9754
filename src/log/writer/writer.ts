// The receiving end of a log record: the one writer of lino.log.

import { untilBeat } from '../../../channels/waiting/beat.js';
import type { Clock } from '../../base/clock.js';
import { ownerState } from '../../base/process-owner.js';
import type { FormatName, RotationPolicy, SyncPolicy } from '../../site/log-settings.js';
import { BadBatchError, lastOf } from '../batch.js';
import { Instants } from '../format/instants.js';
import type { LogRecords } from '../messages.js';
import { spooledEpochs } from '../sender/adopter.js';
import type { Reply } from '../sender/transport.js';
import { Acknowledgements } from './acknowledgements.js';
import { Checkpoint } from './checkpoint.js';
import { type Composition, compose } from './composer.js';
import { Inbox, type Piece, type Standing } from './inbox.js';
import { LedgerFile } from './ledger-file.js';
import type { WriterFence } from './log-lock.js';
import { Notes } from './notes.js';
import { Rotator } from './rotator.js';

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
  readonly timezone?: string | undefined;
  /** How the writer's own notes are written; default `text`. Senders choose their own. */
  readonly format?: FormatName | undefined;
  /**
   * When a record is acknowledged: when the disk has it (`always`, `batch`, the default), so that it outlives a power failure;
   * or when the system has it (`never`), which outlives the end of any process.
   */
  readonly sync?: SyncPolicy | undefined;
  /**
   * A record waits until it is so old, in ms, so that earlier ones of other senders are written before it. Default 0: what
   * comes first is written first.
   */
  readonly orderMs?: number | undefined;
  /** Where ended processes of this machine may have left records. */
  readonly spoolDirectories?: readonly string[] | undefined;
  /** Told once when the file cannot be written, and with undefined when it can again. Must not throw. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  /** Told when a checkpoint cannot be saved or read. The log goes on; a start will take longer. */
  readonly onCheckpointTrouble?: ((error: unknown) => void) | undefined;
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
  /** When the file is rotated, and what is kept; left to others when left out. */
  readonly rotation?: RotationPolicy | undefined;
  /** Told when a file cannot be rotated, compressed or removed. The log goes on. */
  readonly onRotationTrouble?: ((error: unknown) => void) | undefined;
  /** What makes this process the only one that writes the file; asked before each look at it and each write. */
  readonly fence?: WriterFence | undefined;
}

/** More is not accepted; senders have it still. */
const maxPendingBytes = 32 * 1024 ** 2;
/** A write that has so much takes no more. */
const maxWriteBytes = 4 * 1024 ** 2;
/** Where records wait for others anyway, the disk is waited for no more often. */
const writeEveryMs = 50;
const firstRetryMs = 100;
const longestRetryMs = 5000;
const holeCheckMs = 1000;
/** A sender that was silent for so long behind a hole is looked after. */
const silentMs = 10_000;

/**
 * Appends the batches of all senders to one file, each record exactly once and each sender's in order.
 *
 * *Nothing doubled.* The file is its own ledger ({@link Ledger}): the writer knows the last number of each sender, and cuts
 * from a batch what is in the file already. When it starts, it reads back what stands behind its last checkpoint. If
 * another writer has appended in the meantime, it notices by the size and reads that, too.
 *
 * *Nothing lost.* A number is acknowledged when the file has it. What comes behind a hole is dropped, for its sender sends all
 * again that is not acknowledged; if something cannot come any more, a note says what is lost.
 *
 * *Nothing split.* Batches consist of whole records. A write that fails half way is taken back; of one that was cut
 * short by a crash, the next start removes the unfinished record.
 *
 * It works in turns: one looks at the file, sorts what waits by its time, writes what is old enough with one append and one sync,
 * and says when the next one is due.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #clock: Clock;
  readonly #notes: Notes;
  readonly #inbox: Inbox;
  readonly #file: LedgerFile;
  readonly #checkpoint: Checkpoint;
  readonly #rotator: Rotator | undefined;
  readonly #acknowledgements: Acknowledgements;
  /** Whether the file has been read back, so that it is known what is missing. */
  #isRecovered = false;
  #shallReopen = false;
  #isStopping = false;

  #waiting: Piece[] = [];
  #pendingBytes = 0;

  #turns: Promise<void> = Promise.resolve();
  #isWorking = false;
  #isAskedAgain = false;
  #cancelTurn: (() => void) | undefined;
  #wroteAt = Number.NEGATIVE_INFINITY;
  #retryMs = firstRetryMs;
  #inTrouble = false;
  /** Resolves when it is saved that the file is another, and what follows from that has begun. */
  #changing: Promise<void> = Promise.resolve();
  #cancelHoleCheck: (() => void) | undefined;

  constructor(options: LogWriterOptions) {
    const { path, clock } = options;
    const timezone = options.timezone ?? 'UTC';
    this.#options = options;
    this.#clock = clock;
    this.#notes = new Notes(clock, timezone, options.format);
    this.#inbox = new Inbox((options.orderMs ?? 0) > 0 ? new Instants(timezone) : undefined);
    this.#acknowledgements = new Acknowledgements(clock);
    const [notes, inbox] = [this.#notes, this.#inbox];
    const onNewFile = () => this.#checkpoint.forget();
    this.#file = new LedgerFile({ path, clock, timezone, notes, inbox, onNewFile });
    const { rotation: policy, onRotationTrouble = () => {}, onCheckpointTrouble = () => {} } = options;
    if (policy !== undefined)
      this.#rotator = new Rotator({ path, clock, timezone, policy, onTrouble: onRotationTrouble });
    this.#checkpoint = new Checkpoint({
      path,
      clock,
      format: options.format,
      timezone,
      inbox: this.#inbox,
      file: this.#file,
      spoolDirectories: options.spoolDirectories ?? [],
      onTrouble: onCheckpointTrouble,
    });
  }

  /** Resolves when rotated files are compressed, and those beyond what is kept removed. */
  async tidied(): Promise<void> {
    await this.#changing;
    await this.#rotator?.settled();
  }

  /**
   * Opens the file and reads back what no checkpoint tells. Resolves when that is done, or has failed for the first
   * time: a directory that cannot be written does not keep the writer from starting, it goes on trying.
   */
  async start(): Promise<void> {
    await this.#checkpoint.load();
    await this.reopen();
  }

  /** Takes a batch. Returns at once; the acknowledgement comes through `reply`. */
  accept(batch: LogRecords, reply: Reply): void {
    // Until the file was read back nobody can say what is missing. Senders try again.
    if (!this.#isRecovered || this.#isStopping || this.#pendingBytes > maxPendingBytes) return;
    const { sender, epoch, first, count, owner } = batch;
    const now = this.#clock.now();
    const standing = this.#inbox.standing(sender, epoch, now);
    Object.assign(standing, { heardAt: now, owner, reply });
    const last = lastOf(batch);
    try {
      this.#take(this.#inbox.accept(batch, now));
    } catch (error) {
      if (!(error instanceof BadBatchError)) throw error;
      this.#options.onRefused?.({ sender, first, count, problem: error.message });
      return;
    }
    if (standing.heard > standing.taken) this.#checkHolesLater();
    // No write will acknowledge it again.
    if (last <= standing.written) this.#acknowledgements.add(standing, 0);
  }

  /** Resolves when everything that was accepted so far was written, waits for its time, or cannot be written now. */
  async settled(): Promise<void> {
    await this.#turns;
  }

  /** Finishes the write in hand, closes the file and opens its path anew, for a log that was rotated. */
  async reopen(): Promise<void> {
    if (this.#isStopping) return;
    this.#shallReopen = true;
    this.#turnNow();
    await this.settled();
  }

  /** Writes what was accepted, if that is possible, and closes the file. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelHoleCheck?.();
    if (this.#isRecovered && (this.#waiting.length > 0 || this.#file.remarks.length > 0)) this.#turnNow();
    await this.#turns;
    this.#cancelTurn?.();
    this.#acknowledgements.flush();
    await this.#rotator?.stop();
    if (this.#isRecovered) await this.#checkpoint.save();
    await this.#file.close();
  }

  #take(pieces: readonly Piece[]): void {
    if (pieces.length === 0) return;
    for (const piece of pieces) {
      this.#waiting.push(piece);
      this.#pendingBytes += piece.bytes.length;
    }
    if (!this.#isWorking && !this.#inTrouble) this.#turnLater(this.#dueAt());
  }

  // Holes whose sender is silent

  #checkHolesLater(): void {
    this.#cancelHoleCheck ??= this.#clock.after(holeCheckMs, () => void this.#checkHoles());
  }

  /** Looks after them until there are none. Never rejects. */
  async #checkHoles(): Promise<void> {
    const holes = [...this.#inbox].filter(({ heard, taken }) => heard > taken);
    for (const standing of holes) {
      // A clock that was set back shall not make it longer.
      standing.heardAt = Math.min(standing.heardAt, this.#clock.now());
      if (await this.#isLost(standing)) this.#take([this.#inbox.giveUpHole(standing, this.#clock.now())]);
    }
    this.#cancelHoleCheck = undefined;
    if (holes.length > 0 && !this.#isStopping) this.#checkHolesLater();
  }

  async #isLost({ heardAt, owner, epoch }: Standing): Promise<boolean> {
    if (this.#clock.now() - heardAt < silentMs) return false;
    if (owner === undefined || ownerState(owner) !== 'dead') return false;
    return !(await spooledEpochs(this.#options.spoolDirectories ?? [])).has(epoch);
  }

  // Turns

  #turnLater(at: number): void {
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
    const ms = at - this.#clock.now();
    if (ms <= 0) this.#turnNow();
    else this.#cancelTurn = this.#clock.after(ms, () => this.#turnNow());
  }

  #turnNow(): void {
    this.#isAskedAgain = true;
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#turns = this.#work();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    let nextAt = 0;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      try {
        await this.#turn();
        this.#noteTrouble(undefined);
        nextAt = this.#dueAt();
        if (nextAt <= this.#clock.now() || (this.#isStopping && this.#waiting.length > 0))
          this.#isAskedAgain = true;
      } catch (error) {
        this.#noteTrouble(error);
        nextAt = this.#clock.now() + this.#retryMs;
        this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
      }
    }
    // In the same step as the look at what waits, so that nothing can come in between.
    this.#isWorking = false;
    if (!this.#isStopping) this.#turnLater(nextAt);
  }

  /** When the next turn is due, in ms: also without records, someone may rename the file, and a day ends. */
  #dueAt(): number {
    const now = this.#clock.now();
    if (this.#file.remarks.length > 0 || this.#shallReopen) return now;
    const look = now + untilBeat(now);
    if (this.#waiting.length === 0) return look;
    const earliest = this.#waiting.reduce(
      (least, { time }) => Math.min(least, time),
      Number.POSITIVE_INFINITY,
    );
    if (earliest > now || this.#orderMs === 0) return now;
    return Math.min(look, Math.max(earliest + this.#orderMs, Math.min(this.#wroteAt, now) + writeEveryMs));
  }

  get #orderMs(): number {
    return this.#isStopping ? 0 : (this.#options.orderMs ?? 0);
  }

  async #turn(): Promise<void> {
    if (this.#shallReopen) await this.#file.close();
    this.#options.fence?.ensure();
    const isNewFile = (await this.#file.ready()) || (await this.#rotate());
    // Not before all that is in the files was read back.
    if (isNewFile || this.#shallReopen) this.#saveAndTidy();
    this.#shallReopen = false;
    this.#isRecovered = true;
    await this.#write();
  }

  /** Compressed files are not looked into by a start, so a file is compressed when the checkpoint is behind it. */
  #saveAndTidy(): void {
    this.#changing = this.#checkpoint.save().then(() => this.#rotator?.tidyLater());
  }

  /** Whether the file was followed by the next. */
  async #rotate(): Promise<boolean> {
    if (this.#rotator === undefined) return false;
    this.#options.fence?.assertHeld();
    return (await this.#rotator.rotate(this.#file)) && (await this.#file.ready());
  }

  async #write(): Promise<void> {
    const untold = this.#file.remarks.slice();
    const pieces = this.#nextPieces();
    const written = compose(pieces, untold, this.#file.epochs, this.#notes);
    if (written.bytes.length > 0) {
      this.#options.fence?.assertHeld();
      await this.#file.append(written.bytes, this.#options.sync !== 'never');
      this.#wroteAt = this.#clock.now();
    }
    this.#file.remarks.splice(0, untold.length);
    if (pieces.length > 0) this.#commit(pieces, written);
  }

  /**
   * What is old enough, in its order. No record is later than its arrival: one that is still to come is from before the clock
   * was set back, and then nothing waits.
   */
  #nextPieces(): Piece[] {
    // Stable, and within a sender times do not fall: so each sender's order is kept.
    this.#waiting.sort((a, b) => a.time - b.time);
    const now = this.#clock.now();
    const isSetBack = (this.#waiting.at(-1)?.time ?? now) > now;
    const limit = isSetBack ? Number.POSITIVE_INFINITY : now - this.#orderMs;
    const pieces: Piece[] = [];
    let bytes = 0;
    for (const piece of this.#waiting) {
      if (piece.time > limit || bytes >= maxWriteBytes) break;
      bytes += piece.bytes.length;
      pieces.push(piece);
    }
    return pieces;
  }

  /** It is on disk: remembers it, and tells the senders soon. */
  #commit(pieces: readonly Piece[], { epochs, written }: Composition): void {
    // What came in the meantime stands behind them.
    this.#waiting.splice(0, pieces.length);
    for (const [sender, epoch] of epochs) this.#file.epochs.set(sender, epoch);
    for (const [standing, number] of written) standing.found(number);
    for (const { standing, bytes } of pieces) {
      this.#pendingBytes -= bytes.length;
      if (standing.taken === standing.written) standing.time = Number.NEGATIVE_INFINITY;
      this.#acknowledgements.add(standing, bytes.length);
    }
    this.#checkpoint.saveLater();
  }

  #noteTrouble(error: unknown): void {
    if (error === undefined) this.#retryMs = firstRetryMs;
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble?.(error);
  }
}
