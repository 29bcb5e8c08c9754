// How far the writer has come, kept beside the log so that a start need not read the whole file back.

import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.js';
import { ownerState } from '../../base/process-owner.js';
import { readRegular, replaceFlags } from '../../base/regular-file.js';
import { type FormatName, formatNames } from '../../site/log-settings.js';
import { spooledEpochs } from '../sender/adopter.js';
import type { Inbox, Standing } from './inbox.js';
import type { LedgerFile } from './ledger-file.js';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const positionSchema = v.object({
  sender: v.string(),
  epoch: v.string(),
  /** The last number in the log. */
  last: number,
  /** Whether lines with this label are, at this place of the file, those of this epoch. */
  isCurrent: v.boolean(),
  /** When the sender was last heard, in ms. */
  heardAt: number,
  owner: v.optional(v.object({ host: v.string(), pid: v.number(), start: v.string() })),
});
type Position = v.InferOutput<typeof positionSchema>;

/** Up to `offset` in the file with this fingerprint, `positions` say all that the file says. */
const schema = v.object({
  file: v.string(),
  offset: number,
  positions: v.array(positionSchema),
  /** As the site says, for processes that end before they have read it. */
  format: v.optional(v.picklist(formatNames)),
  timezone: v.optional(v.string()),
});
export type WrittenUpTo = v.InferOutput<typeof schema>;

/**
 * What was in the log when the writer last saved its checkpoint.
 *
 * @param path of the log
 * @throws what the file system reports, and for a file that is no checkpoint
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
  /** Told once when saving or loading fails, and with undefined when it goes well again. */
  readonly onTrouble: (error: unknown) => void;
}

const saveEveryMs = 5000;
/** A sender whose process has ended is forgotten when nothing came of it for so long: the writer has read the channel by then. */
const forgetEndedMs = 300_000;
/** One of which that cannot be seen, on another machine or in a container, if the writer was there for `patienceMs`. */
const forgetMs = 86_400_000;
const patienceMs = 3_600_000;

/**
 * Saves the positions of all senders now and then. That only saves time: the log file is the ledger, and without a
 * checkpoint, or with an old one, the writer reads back more of it.
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

  /** Fills the inbox and tells the file its place. Without a checkpoint all of the file will be read. */
  async load(): Promise<void> {
    const { inbox, file, clock } = this.#options;
    try {
      const { positions, file: fingerprint, offset } = readCheckpoint(this.#options.path);
      const epochs = new Map<string, string>();
      for (const { sender, epoch, last, isCurrent, heardAt, owner } of positions) {
        const standing = inbox.standing(sender, epoch, Math.min(heardAt, clock.now()));
        standing.owner = owner;
        standing.found(last);
        if (isCurrent) epochs.set(sender, epoch);
      }
      file.restore({ file: fingerprint, offset }, epochs);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) this.#tell(error);
    }
  }

  /** Something was written: saves within five seconds. */
  saveLater(): void {
    this.#cancel ??= this.#options.clock.after(saveEveryMs, () => void this.save());
  }

  /** Saves what is true now, after the save before. Never rejects. */
  save(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    const { inbox, file, format, timezone } = this.#options;
    if (file.place === undefined) return;
    await this.forget();
    const positions = [...inbox].map(({ sender, epoch, written: last, heardAt, owner }): Position => {
      const isCurrent = file.epochs.get(sender) === epoch;
      return { sender, epoch, last, isCurrent, heardAt: Math.max(0, Math.floor(heardAt)), owner };
    });
    try {
      // A crash leaves the old file or the new one.
      const text = JSON.stringify({ ...file.place, positions, format, timezone });
      await writeFile(`${this.#path}.tmp`, text, { flag: replaceFlags });
      await rename(`${this.#path}.tmp`, this.#path);
      this.#tell(undefined);
    } catch (error) {
      this.#tell(error);
    }
  }

  /**
   * Forgets senders that have ended and left no records. Programs that start every few seconds would fill the checkpoint, and
   * the beginning of each file.
   */
  async forget(): Promise<void> {
    const { inbox, file, spoolDirectories } = this.#options;
    const silent = [...inbox].filter((standing) => this.#isForgettable(standing));
    const spooled = silent.length === 0 ? new Set() : await spooledEpochs(spoolDirectories);
    for (const standing of silent) {
      const { sender, epoch } = standing;
      // It may have been heard meanwhile.
      if (!this.#isForgettable(standing) || spooled.has(epoch)) continue;
      inbox.forget(standing);
      // If it comes again after all, a note tells whose its lines are.
      if (file.epochs.get(sender) === epoch) file.epochs.delete(sender);
    }
  }

  #isForgettable({ heardAt, heard, written, owner }: Standing): boolean {
    const now = this.#options.clock.now();
    const [silentMs, thereMs] = [now - heardAt, now - this.#startedAt];
    if (heard > written || Math.min(silentMs, thereMs) <= forgetEndedMs) return false;
    const state = owner && ownerState(owner);
    return state === 'dead' || (state !== 'alive' && silentMs > forgetMs && thereMs > patienceMs);
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}

/** Not beginning as the log does, for it is none of the log's files. */
export function checkpointPath(path: string): string {
  return `${dirname(path)}/writer.checkpoint`;
}
