// Saves the writer's progress beside the log, so that a start need not read the whole file back.

import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.js';
import { readRegular, replaceFlags } from '../../base/files/regular-file.js';
import { ownerState } from '../../base/process-owner.js';
import { type FormatName, formatNames } from '../../site/log-settings.js';
import { spooledEpochs } from '../sender/adopter.js';
import type { Inbox, SenderState } from './inbox.js';
import type { LedgerFile } from './ledger-file.js';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const positionSchema = v.object({
  sender: v.string(),
  epoch: v.string(),
  /** The last number in the log. */
  last: number,
  /** Whether lines with this label belong to this epoch at `offset`. */
  isCurrent: v.boolean(),
  /** When the sender's last message arrived, in ms since 1970. */
  heardAt: number,
  owner: v.optional(v.object({ host: v.string(), pid: v.number(), start: v.string() })),
});
type Position = v.InferOutput<typeof positionSchema>;

/** `positions` cover the file with this fingerprint up to `offset`. */
const schema = v.object({
  file: v.string(),
  offset: number,
  positions: v.array(positionSchema),
  /** The site's settings, for processes that end before they have loaded the site. */
  format: v.optional(v.picklist(formatNames)),
  timezone: v.optional(v.string()),
});
export type WrittenUpTo = v.InferOutput<typeof schema>;

/**
 * What was in the log when the writer last saved its checkpoint.
 *
 * @param path of the log
 * @throws the file system's error, or an error for a file that is no checkpoint
 */
export function readCheckpoint(path: string): WrittenUpTo {
  return v.parse(schema, JSON.parse(readRegular(checkpointPath(path))));
}

export interface CheckpointOptions {
  /** Of the log; the checkpoint is a file beside it. */
  readonly path: string;
  readonly clock: Clock;
  readonly format: FormatName | undefined;
  readonly timezone: string;
  readonly inbox: Inbox;
  readonly file: LedgerFile;
  /** Where ended processes of this machine may have left records. */
  readonly spoolDirectories: readonly string[];
  /** Called once when saving or loading fails, and with undefined when it succeeds again. */
  readonly onTrouble: (error: unknown) => void;
}

const saveEveryMs = 5000;
/**
 * A sender whose process has ended is forgotten after this silence. By then the writer has read the channel.
 */
const forgetEndedMs = 300_000;
/** A sender that cannot be checked (other machine, container) is forgotten after this silence … */
const forgetUnknownMs = 86_400_000;
/** … if the writer itself has run for this long. */
const minimumRunMs = 3_600_000;

/**
 * Saves the positions of all senders every few seconds. A checkpoint only saves time: the log file is the
 * ledger, and without a recent checkpoint the writer reads back more of it.
 */
export class Checkpoint {
  readonly #options: CheckpointOptions;
  readonly #path: string;
  readonly #startedAt: number;
  #saving: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #inTrouble = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#path = checkpointPath(options.path);
    this.#startedAt = options.clock.now();
  }

  /**
   * Restores the inbox, and the offset up to which the file is known. Without a checkpoint the whole file is
   * read.
   */
  async load(): Promise<void> {
    const { inbox, file, clock } = this.#options;
    try {
      const { positions, file: fingerprint, offset } = readCheckpoint(this.#options.path);
      const epochs = new Map<string, string>();
      for (const { sender, epoch, last, isCurrent, heardAt, owner } of positions) {
        const state = inbox.stateOf(sender, epoch, Math.min(heardAt, clock.now()));
        state.owner = owner;
        state.found(last);
        if (isCurrent) epochs.set(sender, epoch);
      }
      file.restore({ file: fingerprint, offset }, epochs);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) this.#report(error);
    }
  }

  /** Saves within five seconds. */
  saveLater(): void {
    this.#cancel ??= this.#options.clock.after(saveEveryMs, () => void this.save());
  }

  /** Saves after the save that is in progress. Never rejects. */
  save(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    const { inbox, file, format, timezone } = this.#options;
    if (file.knownUpTo === undefined) return;
    await this.forget();
    const positions = [...inbox].map(({ sender, epoch, written: last, heardAt, owner }): Position => {
      const isCurrent = file.epochs.get(sender) === epoch;
      return { sender, epoch, last, isCurrent, heardAt: Math.max(0, Math.floor(heardAt)), owner };
    });
    try {
      // Renamed, so that a crash leaves the old file or the new one.
      const text = JSON.stringify({ ...file.knownUpTo, positions, format, timezone });
      await writeFile(`${this.#path}.tmp`, text, { flag: replaceFlags });
      await rename(`${this.#path}.tmp`, this.#path);
      this.#report(undefined);
    } catch (error) {
      this.#report(error);
    }
  }

  /**
   * Forgets senders that have ended and left no records. Otherwise programs that start every few seconds
   * would fill the checkpoint and the beginning of each file.
   */
  async forget(): Promise<void> {
    const { inbox, file, spoolDirectories } = this.#options;
    const silent = [...inbox].filter((state) => this.#isForgettable(state));
    const spooled = silent.length === 0 ? new Set() : await spooledEpochs(spoolDirectories);
    for (const state of silent) {
      const { sender, epoch } = state;
      // A message may have arrived meanwhile.
      if (!this.#isForgettable(state) || spooled.has(epoch)) continue;
      inbox.forget(state);
      // If the sender appears again after all, a note says whose its lines are.
      if (file.epochs.get(sender) === epoch) file.epochs.delete(sender);
    }
  }

  #isForgettable({ heardAt, heard, written, owner }: SenderState): boolean {
    const now = this.#options.clock.now();
    const [silentMs, runMs] = [now - heardAt, now - this.#startedAt];
    if (heard > written || Math.min(silentMs, runMs) <= forgetEndedMs) return false;
    const state = owner && ownerState(owner);
    return state === 'dead' || (state !== 'alive' && silentMs > forgetUnknownMs && runMs > minimumRunMs);
  }

  #report(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}

/** The name does not begin with the log's, so that it does not count as a part of the log. */
export function checkpointPath(path: string): string {
  return `${dirname(path)}/writer.checkpoint`;
}
