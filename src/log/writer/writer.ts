// The receiving end of a log record: the only writer of lino.log.

import { untilBeat } from '../../../channels/waiting/beat.js';
import type { Clock } from '../../base/clock.js';
import type { FormatName, RotationPolicy, SyncPolicy } from '../../site/log-settings.js';
import { BadBatchError, lastOf } from '../batch.js';
import { Instants } from '../format/instants.js';
import type { LogRecords } from '../messages.js';
import type { Reply } from '../sender/transport.js';
import { Acknowledgements } from './acknowledgements.js';
import { Checkpoint } from './checkpoint.js';
import { type Composition, compose, type Tally } from './composer.js';
import { HoleWatch } from './hole-watch.js';
import { Inbox, type QueueEntry } from './inbox.js';
import { LedgerFile } from './ledger-file.js';
import type { WriterFence } from './log-lock.js';
import { Notes } from './notes.js';
import { Rotator } from './rotator.js';
import { TurnLoop } from './turn-loop.js';
import { WriteQueue } from './write-queue.js';

/** A batch whose bytes are not the records that it announces. Its sender gets no acknowledgement. */
export interface Refusal {
  readonly sender: string;
  readonly first: number;
  readonly count: number;
  readonly problem: string;
}

/** Records that are not in the log and cannot come any more. */
export interface LogGap {
  readonly sender: string;
  readonly records: number;
}

export interface LogWriterOptions {
  /** The log file. The writer creates it and its directory if they are missing. */
  readonly path: string;
  readonly clock: Clock;
  readonly timezone?: string | undefined;
  /** The format of the writer's own notes; default `text`. Each sender chooses the format of its records. */
  readonly format?: FormatName | undefined;
  /**
   * When a record is acknowledged. `batch` (default) and `always`: once the disk has it, so it survives a power failure.
   * `never`: once the operating system has it, so it survives the end of any process. The writer treats `always` as
   * `batch`; with `always`, senders also sync each write to their spool.
   */
  readonly sync?: SyncPolicy | undefined;
  /**
   * A record waits until it is this old, in ms, so that earlier records of other senders come before it.
   * Default 0: records are written in the order of arrival.
   */
  readonly orderMs?: number | undefined;
  /** Where ended processes of this machine may have left records. */
  readonly spoolDirectories?: readonly string[] | undefined;
  /** Called once when the file cannot be written, and with undefined when it can again. Must not throw. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  /** Called when a checkpoint cannot be saved or read. The log continues; the next start takes longer. */
  readonly onCheckpointTrouble?: ((error: unknown) => void) | undefined;
  /** Called after each write with what it had. Must not throw. */
  readonly onWritten?: ((tallies: readonly Tally[]) => void) | undefined;
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
  /** When to rotate the file, and what to keep. Without it, rotation is left to other programs. */
  readonly rotation?: RotationPolicy | undefined;
  /** Called when a file cannot be rotated, compressed or removed. The log continues. */
  readonly onRotationTrouble?: ((error: unknown) => void) | undefined;
  /**
   * Called when records are reported as lost: they can no longer arrive, or a full spool has refused them.
   */
  readonly onLost?: ((gap: LogGap) => void) | undefined;
  /**
   * Makes this process the only one that writes the file. The writer asks it before each turn and each write.
   */
  readonly fence?: WriterFence | undefined;
}

/**
 * Appends the batches of all senders to one file: each record exactly once, and the records of each sender in
 * order.
 *
 * A batch takes this way: {@link Inbox} (cuts off what is known) → {@link WriteQueue} (order) → `compose`
 * (bytes) → {@link LedgerFile} (disk) → {@link Acknowledgements} (reply to the sender).
 *
 * *Nothing doubled.* The file is its own ledger: the writer knows the last number of each sender, and cuts
 * from a batch what the file has already. At start it reads back what follows its last checkpoint. If another
 * writer has appended meanwhile, it notices the new size and reads that, too.
 *
 * *Nothing lost unnoticed.* The writer acknowledges a number once the file has it. It drops a batch that leaves a hole before it;
 * the sender repeats everything that is not acknowledged. A note in the log reports records that can no longer arrive.
 *
 * *Nothing split.* A batch consists of whole records. The writer takes back a write that fails half way.
 * After a crash, the next start removes the unfinished record.
 *
 * The writer is in one of these modes:
 *
 * - *starting*: it reads the file back and accepts nothing. After that: *open*, even if the first write fails.
 * - *open*: each turn checks the file, rotates it if due, and writes what is old enough with one append and
 *   one sync. While turns fail, accepted batches wait and the {@link TurnLoop} tries again.
 * - *stopping*: it accepts nothing, writes what it has, and closes the file.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #notes: Notes;
  readonly #inbox: Inbox;
  readonly #queue: WriteQueue;
  readonly #file: LedgerFile;
  readonly #acknowledgements: Acknowledgements;
  readonly #checkpoint: Checkpoint;
  readonly #rotator: Rotator | undefined;
  readonly #holes: HoleWatch;
  readonly #loop: TurnLoop;
  /** Whether the file has been read back. Before that, the writer cannot say which numbers are missing. */
  #isRecovered = false;
  #mustReopen = false;
  /** Resolves when the checkpoint of a new file is saved and tidying of the old ones has begun. */
  #fileChange: Promise<void> = Promise.resolve();

  constructor(options: LogWriterOptions) {
    const {
      path,
      clock,
      format,
      orderMs = 0,
      timezone = 'UTC',
      spoolDirectories = [],
      rotation: policy,
    } = options;
    const { onTrouble = () => {}, onCheckpointTrouble = () => {}, onRotationTrouble = () => {} } = options;
    const notes = new Notes(clock, timezone, format);
    const inbox = new Inbox(orderMs > 0 ? new Instants(timezone) : undefined);
    const onNewFile = () => this.#checkpoint.forget();
    const file = new LedgerFile({ path, clock, timezone, notes, inbox, onNewFile });
    this.#options = options;
    this.#notes = notes;
    this.#inbox = inbox;
    this.#queue = new WriteQueue(orderMs);
    this.#file = file;
    this.#acknowledgements = new Acknowledgements(clock);
    const saved = { path, clock, format, timezone, inbox, file, spoolDirectories };
    this.#checkpoint = new Checkpoint({ ...saved, onTrouble: onCheckpointTrouble });
    if (policy !== undefined)
      this.#rotator = new Rotator({ path, clock, timezone, policy, onTrouble: onRotationTrouble });
    this.#holes = new HoleWatch({
      inbox,
      clock,
      spoolDirectories,
      onLost: (entry) => this.#enqueue([entry]),
    });
    const [turn, untilDueMs] = [() => this.#turn(), () => this.#untilDueMs()];
    this.#loop = new TurnLoop({ clock, turn, untilDueMs, onTrouble });
  }

  /**
   * Opens the file and reads back what follows the checkpoint. Resolves after the first turn, even if that
   * has failed: the writer starts although it cannot write yet, and tries again.
   */
  async start(): Promise<void> {
    await this.#checkpoint.load();
    await this.reopen();
  }

  /** Accepts a batch. Returns at once; the acknowledgement comes through `reply`. */
  accept(batch: LogRecords, reply: Reply): void {
    // The sender keeps what is not accepted, and sends it again.
    if (!this.#isRecovered || this.#loop.isStopped || this.#queue.isFull) return;
    const { sender, epoch, first, count, owner } = batch;
    const now = this.#options.clock.now();
    const state = this.#inbox.stateOf(sender, epoch, now);
    Object.assign(state, { heardAt: now, owner, reply });
    try {
      this.#enqueue(this.#inbox.accept(batch, now));
    } catch (error) {
      if (!(error instanceof BadBatchError)) throw error;
      this.#options.onRefused?.({ sender, first, count, problem: error.message });
      return;
    }
    if (state.heard > state.taken) this.#holes.start();
    // All of it is in the file already: acknowledge now.
    if (lastOf(batch) <= state.written) this.#acknowledgements.add(state, 0);
  }

  /** Resolves when everything accepted so far was written, waits for its time, or cannot be written now. */
  async settled(): Promise<void> {
    await this.#loop.settled();
  }

  /** Resolves when rotated files are compressed, and those beyond the policy are removed. */
  async tidied(): Promise<void> {
    await this.#fileChange;
    await this.#rotator?.settled();
  }

  /**
   * Finishes the current write, closes the file and opens its path again, as after a rotation by another
   * program.
   */
  async reopen(): Promise<void> {
    if (this.#loop.isStopped) return;
    this.#mustReopen = true;
    this.#loop.runNow();
    await this.settled();
  }

  /** Writes what was accepted, if possible, and closes the file. Safe to call twice. */
  async stop(): Promise<void> {
    this.#loop.stop();
    this.#holes.stop();
    this.#queue.endOrdering();
    if (this.#isRecovered && (!this.#queue.isEmpty || this.#file.remarks.length > 0)) this.#loop.runNow();
    await this.settled();
    this.#acknowledgements.flush();
    await this.#rotator?.stop();
    if (this.#isRecovered) await this.#checkpoint.save();
    await this.#file.close();
  }

  #enqueue(entries: readonly QueueEntry[]): void {
    if (entries.length === 0) return;
    this.#queue.add(entries);
    this.#loop.schedule();
  }

  /**
   * An idle writer takes a turn at each beat, too: someone may have renamed the file, or a day may have
   * ended.
   */
  #untilDueMs(): number {
    if (this.#file.remarks.length > 0 || this.#mustReopen) return 0;
    const now = this.#options.clock.now();
    return Math.min(untilBeat(now), this.#queue.untilDueMs(now));
  }

  /** Checks the file, rotates it if due, and writes. */
  async #turn(): Promise<void> {
    if (this.#mustReopen) await this.#file.close();
    this.#options.fence?.ensure();
    const isNewFile = (await this.#file.ready()) || (await this.#rotate());
    // Only now: the file must have been read back before the checkpoint says so.
    if (isNewFile || this.#mustReopen) this.#saveAndTidy();
    this.#mustReopen = false;
    this.#isRecovered = true;
    await this.#write();
  }

  /** @returns whether a new file has followed the old one */
  async #rotate(): Promise<boolean> {
    if (this.#rotator === undefined) return false;
    this.#options.fence?.assertHeld();
    return (await this.#rotator.rotate(this.#file)) && (await this.#file.ready());
  }

  /** Saves first: a start does not read compressed files back, so the checkpoint must be past them. */
  #saveAndTidy(): void {
    this.#fileChange = this.#checkpoint.save().then(() => this.#rotator?.tidyLater());
  }

  async #write(): Promise<void> {
    const { clock, fence, sync } = this.#options;
    const remarks = this.#file.remarks.slice();
    const entries = this.#queue.next(clock.now());
    const composition = compose(entries, remarks, this.#file.epochs, this.#notes);
    if (composition.bytes.length > 0) {
      fence?.assertHeld();
      await this.#file.append(composition.bytes, sync !== 'never');
    }
    this.#file.remarks.splice(0, remarks.length);
    if (entries.length > 0) this.#commit(entries, composition);
  }

  /** The entries are on disk: records the new positions and acknowledges them. */
  #commit(entries: readonly QueueEntry[], { epochs, written, tallies }: Composition): void {
    this.#queue.remove(entries, this.#options.clock.now());
    for (const [sender, epoch] of epochs) this.#file.epochs.set(sender, epoch);
    for (const [state, number] of written) state.found(number);
    for (const { kind, state, from, to, bytes } of entries) {
      if (kind === 'lost') this.#options.onLost?.({ sender: state.sender, records: to - from + 1 });
      if (state.taken === state.written) state.time = Number.NEGATIVE_INFINITY;
      this.#acknowledgements.add(state, bytes.length);
    }
    this.#checkpoint.saveLater();
    this.#options.onWritten?.(tallies);
  }
}
