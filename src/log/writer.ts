// The receiving end of a log record: the one writer of lino.log.

import { randomUUID } from 'node:crypto';
import { untilBeat } from '../../channels/beat.js';
import type { Clock } from '../clock.js';
import { ownerState } from '../owner.js';
import { batchProblem } from './batch.js';
import { Checkpointer } from './checkpointer.js';
import { Composer, type Composition, type NoteFormatter } from './compose.js';
import { lineFormat } from './formats/formats.js';
import type { FormatName, LineFormat } from './formats/line-format.js';
import { type Batch, type Entry, Inbox, type Reply, type Standing } from './inbox.js';
import { Lane, type LaneOptions } from './lane.js';
import { type CarriedPosition, noteLogger } from './ledger.js';
import { LedgerFile } from './ledger-file.js';
import type { WriterFence } from './log-lock.js';
import type { LogProbe, SenderRequest } from './messages.js';
import { noSender } from './names.js';
import { bytesHeld, NotTheseRecordsError } from './pieces.js';
import type { SyncPolicy } from './policies.js';
import type { PositionStore } from './positions.js';
import { RecordTimes } from './record-times.js';
import type { RotationPolicy } from './rotation.js';
import { Rotator } from './rotator.js';
import { SpoolReader } from './spool-reader.js';
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
  /** Where senders of this machine lay down their records, for those that say so instead of sending them. */
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
/** A note is far below the limit of a record with so many of the longest positions. */
const positionsPerNote = 200;
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
  readonly #format: LineFormat;
  readonly #timestamps: Timestamps;
  readonly #inbox = new Inbox();
  readonly #file: LedgerFile;
  readonly #checkpointer: Checkpointer;
  readonly #rotator: Rotator | undefined;
  /** Whether the file has been read back, so that it is known what is missing. */
  #isRecovered = false;
  #shallReopen = false;
  #shallLook = false;
  #cancelLook: (() => void) | undefined;
  #isStopping = false;

  readonly #composer: Composer;
  readonly #spools: SpoolReader;
  readonly #laneOptions: LaneOptions;
  readonly #lanes = new Map<Standing, Lane>();
  /** In memory; what lies in spool files is not counted. */
  #pendingBytes = 0;
  /** Notes of the writer that belong to no sender. */
  #notes: string[] = [];
  #work: Promise<void> = Promise.resolve();
  #isWorking = false;
  #wake: () => void = () => {};
  #retryMs = firstRetryMs;
  #troubleSince: number | undefined;
  /** Whether all that is left waits for its time. */
  #isResting = false;
  /** Resolves when that begins. */
  #rest = signal();
  /** Resolves when trouble begins. */
  #trouble = signal();
  /** Resolves when it is saved that the file is another, and what follows from that has begun. */
  #changing: Promise<void> = Promise.resolve();
  #cancelHoleCheck: (() => void) | undefined;
  readonly #counts = { records: 0, bytes: 0, writes: 0, repeated: 0, lost: 0, refused: 0 };

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#format = lineFormat(options.format ?? 'text');
    this.#composer = new Composer((...note) => this.#formatNote(...note));
    this.#spools = new SpoolReader(options.spoolDirectories ?? []);
    const zone = options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const times = (options.orderMs ?? 0) > 0 ? new RecordTimes(zone) : undefined;
    this.#laneOptions = { spools: this.#spools, times };
    this.#timestamps = new Timestamps(options.timezone, this.#format.time);
    const found = (sender: string, epoch: string, last: number) =>
      this.#inbox.standing(sender, epoch, options.clock.now()).found(last);
    this.#file = new LedgerFile({
      path: options.path,
      reader: {
        records: (sender, epoch, _first, last) => found(sender, epoch, last),
        lost: (sender, epoch, from, to) =>
          this.#inbox.standing(sender, epoch, options.clock.now()).lose(from, to),
        turn: found,
        carried: found,
      },
      timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      begin: (after) => this.#formatBegin(after),
      onLoss: (what, bytes) => this.#noteLoss(what, bytes),
      onRepair: (bytes) => this.#noteRepair(bytes),
    });
    if (options.rotation !== undefined) {
      const { path, clock, timezone, rotation: policy, onRotationTrouble: onTrouble = () => {} } = options;
      this.#rotator = new Rotator({ path, clock, timezone, policy, onTrouble });
    }
    this.#checkpointer = new Checkpointer({
      clock: options.clock,
      store: options.positions,
      inbox: this.#inbox,
      file: this.#file,
      onTrouble: options.onCheckpointTrouble ?? (() => {}),
    });
  }

  /** Resolves when rotated files are compressed, and those beyond what is kept removed. */
  async tidied(): Promise<void> {
    await this.#changing;
    await this.#rotator?.settled();
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
  accept(request: SenderRequest, reply: Reply): void {
    // Until the file was read back nobody can say what is missing. Senders try again.
    if (!this.#isRecovered || this.#isStopping) return;
    if (request.type === 'log.probe') this.#answerProbe(request, reply);
    else this.#acceptBatch(request, reply);
  }

  /** Resolves when everything that was accepted so far was written, waits for its time, or cannot be written now. */
  async settled(): Promise<void> {
    while (this.#isWorking && this.#troubleSince === undefined && !this.#isResting) {
      await Promise.race([this.#work, this.#trouble.promise, this.#rest.promise]);
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
    this.#cancelLook?.();
    await this.#work;
    await this.#rotator?.stop();
    if (this.#isRecovered) await this.#checkpointer.save();
    await this.#file.close();
  }

  // Taking batches

  #acceptBatch(batch: Batch, reply: Reply): void {
    const { sender, epoch, first, count } = batch;
    const problem =
      batch.type === 'log.spooled' ? undefined : batchProblem(batch.bytes, sender, first, count);
    if (problem !== undefined) {
      this.#counts.refused++;
      this.#options.onRefused?.({ sender, first, count, problem });
      return;
    }
    if (this.#pendingBytes > maxPendingBytes) return;
    const now = this.#options.clock.now();
    const standing = this.#inbox.standing(sender, epoch, now);
    Object.assign(standing, { heardAt: now, owner: batch.owner, reply });
    const last = first + count - 1;
    this.#counts.repeated += Math.max(0, Math.min(standing.taken, last) - first + 1);
    const entries = this.#inbox.accept(batch, now);
    this.#enqueue(entries);
    this.#askForMissing(standing, now);
    // No write will acknowledge it again.
    if (last <= standing.written && entries.length === 0) this.#acknowledge(standing);
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
      let lane = this.#lanes.get(entry.standing);
      if (lane === undefined) {
        lane = new Lane(entry.standing, this.#laneOptions);
        this.#lanes.set(entry.standing, lane);
      }
      lane.add(entry);
      this.#pendingBytes += bytesHeld(entry.source);
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
      // A clock that was set back shall not make it longer.
      standing.heardAt = Math.min(standing.heardAt, clock.now());
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
    if (isDead && !isSpooled) this.#enqueue(this.#inbox.giveUpHole(standing, this.#options.clock.now()));
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
    while (this.#lanes.size > 0 || this.#notes.length > 0 || this.#shallReopen || this.#shallLook) {
      try {
        const nextAt = await this.#turn();
        this.#noteTrouble(undefined);
        await this.#waitUntil(nextAt);
      } catch (error) {
        this.#noteTrouble(error);
        if (this.#isStopping) break;
        await this.#pause(this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
      }
    }
    this.#spools.close();
    this.#lookLater();
    // In the same step as the look at what is pending, so that nothing can come in between.
    this.#isWorking = false;
  }

  /** @returns when there is something to be written again, in ms; undefined when nothing is left */
  async #turn(): Promise<number | undefined> {
    if (this.#shallReopen) await this.#file.close();
    this.#options.fence?.ensure();
    this.#shallLook = false;
    const isNewFile = (await this.#file.ready()) || (await this.#rotate());
    // Not before all that is in the files was read back.
    if (isNewFile || this.#shallReopen) this.#saveAndTidy();
    this.#shallReopen = false;
    this.#isRecovered = true;
    return await this.#write();
  }

  /**
   * Nobody waits for it, since a database may hang: a start finds files that no checkpoint names by what they say of those
   * before them. Compressed ones are not looked into, so these come after it.
   */
  #saveAndTidy(): void {
    this.#changing = this.#checkpointer.save().then(() => this.#rotator?.tidyLater());
  }

  /** Whether the file was followed by the next. */
  async #rotate(): Promise<boolean> {
    if (this.#rotator === undefined) return false;
    this.#options.fence?.assertHeld();
    return (await this.#rotator.rotate(this.#file)) && (await this.#file.ready());
  }

  /** Someone may rename the file while nothing is written, and a day ends without a record. */
  #lookLater(): void {
    this.#cancelLook?.();
    if (this.#isStopping) return;
    const { clock } = this.#options;
    this.#cancelLook = clock.after(untilBeat(clock.now()), () => {
      this.#shallLook = true;
      this.#startWork();
    });
  }

  async #write(): Promise<number | undefined> {
    const notes = this.#notes.slice();
    const now = this.#options.clock.now();
    const orderMs = this.#isStopping ? 0 : (this.#options.orderMs ?? 0);
    const epochs = this.#file.epochs;
    const composition = this.#composer.compose(this.#lanes.values(), notes, epochs, { now, orderMs });
    const isAny =
      composition.bytes.length > 0 || composition.covered.size > 0 || composition.unreadable.size > 0;
    if (!isAny) return composition.nextAt;
    if (composition.bytes.length > 0) {
      this.#options.fence?.assertHeld();
      await this.#file.append([composition.bytes], this.#options.sync !== 'never');
      this.#counts.writes++;
    }
    this.#notes.splice(0, notes.length);
    this.#commit(composition);
    return composition.nextAt;
  }

  /** It is on disk: remembers it and tells the senders. */
  #commit(composition: Composition): void {
    for (const [sender, epoch] of composition.epochs) this.#file.epochs.set(sender, epoch);
    for (const [standing, number] of composition.written) {
      standing.found(number);
      standing.isHearsay = false;
    }
    for (const { standing, from, to } of composition.losses) standing.lose(from, to);
    for (const [lane, pieces] of composition.covered) {
      this.#pendingBytes -= lane.drop(pieces);
      if (lane.isEmpty) this.#lanes.delete(lane.standing);
      this.#acknowledge(lane.standing);
    }
    for (const [lane, error] of composition.unreadable) this.#askForBytes(lane, error);
    this.#counts.records += composition.records;
    this.#counts.bytes += composition.bytes.length;
    this.#counts.lost += composition.lost;
    this.#checkpointer.saveLater();
  }

  /** A spool file is not here, as it is another machine's, or does not hold what it should: its sender has it all. */
  #askForBytes(lane: Lane, error: unknown): void {
    const { standing } = lane;
    this.#lanes.delete(standing);
    this.#pendingBytes -= lane.bytesHeld;
    this.#inbox.retract(standing);
    const { sender, epoch, written } = standing;
    if (error instanceof NotTheseRecordsError) {
      this.#counts.refused++;
      this.#options.onRefused?.({ sender, first: written + 1, count: 0, problem: `spool: ${error.message}` });
    }
    standing.reply?.({ type: 'log.resend', sender, epoch, from: written + 1, inline: true });
  }

  readonly #formatNote: NoteFormatter = (level, message, fields) => {
    const time = this.#timestamps.format(this.#options.clock.now());
    return this.#format.record(this.#format.head(time, level, noSender, 0, noteLogger), { message, fields });
  };

  /** What a file begins with: which one it follows, and how far the log was with each sender then. */
  #formatBegin(after: string | undefined): string {
    const file = randomUUID();
    if (after === undefined) return this.#formatNote('INFO', 'the log begins', { file });
    const notes = [this.#formatNote('INFO', 'the log goes on in a new file', { file, after })];
    const known = [...this.#inbox].filter(({ written, isHearsay }) => written > 0 && !isHearsay);
    const positions = known.map(({ sender, epoch, written }): CarriedPosition => [sender, epoch, written]);
    for (let i = 0; i < positions.length; i += positionsPerNote) {
      const part = positions.slice(i, i + positionsPerNote);
      const message = `in the files before: records of ${part.length} ${part.length === 1 ? 'sender' : 'senders'}`;
      notes.push(this.#formatNote('INFO', message, { positions: part }));
    }
    return notes.join('');
  }

  #noteLoss(what: 'emptied' | 'removed', bytes: number): void {
    const message = `another program has ${what} the log file, in which were ${bytes} bytes; of records that came in that moment some may be lost`;
    this.#notes.push(this.#formatNote('WARNING', message));
  }

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

  async #waitUntil(at: number | undefined): Promise<void> {
    const ms = at === undefined ? 0 : at - this.#options.clock.now();
    if (ms <= 0 || this.#shallReopen || this.#isStopping) return;
    this.#isResting = true;
    this.#rest.resolve();
    await this.#pause(ms);
    this.#isResting = false;
    this.#rest = signal();
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = signal();
    const cancel = this.#options.clock.after(ms, resolve);
    this.#wake = resolve;
    await promise;
    cancel();
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
