// How far the writer has come, kept beside the log so that a start need not read the whole file back.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../clock.js';
import type { Inbox, Standing } from './inbox.js';
import type { LedgerFile } from './ledger-file.js';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Up to `offset` in the file with this fingerprint, `positions` say all that the file says. */
const schema = v.object({
  file: v.string(),
  offset: number,
  positions: v.array(
    v.object({
      sender: v.string(),
      epoch: v.string(),
      /** The last number in the log. */
      last: number,
      /** Whether lines with this label are, at this place of the file, those of this epoch. */
      isCurrent: v.boolean(),
      /** When the sender was last heard, in ms. */
      heardAt: number,
    }),
  ),
});

export interface CheckpointOptions {
  /** Of the log; the checkpoint is a file beside it. */
  readonly path: string;
  readonly clock: Clock;
  readonly inbox: Inbox;
  readonly file: LedgerFile;
  /** Told once when saving or loading fails, and with undefined when it goes well again. */
  readonly onTrouble: (error: unknown) => void;
}

const saveEveryMs = 5000;
/** A sender that was silent for so long is forgotten, if the writer was there to hear it for `patienceMs`. */
const forgetMs = 7 * 86_400_000;
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
      const text = await readFile(this.#path, 'utf8').catch(none);
      if (text === undefined) return;
      const { positions, ...place } = v.parse(schema, JSON.parse(text));
      for (const { sender, epoch, last, heardAt } of positions)
        inbox.standing(sender, epoch, Math.min(heardAt, clock.now())).found(last);
      const current = positions.filter(({ isCurrent }) => isCurrent);
      file.restore(
        place,
        current.map(({ sender, epoch }) => [sender, epoch]),
      );
    } catch (error) {
      this.#tell(error);
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
    const { inbox, file } = this.#options;
    if (file.place === undefined) return;
    for (const standing of inbox) if (this.#isForgettable(standing)) inbox.forget(standing);
    const positions = [...inbox].map((standing) => this.#position(standing));
    try {
      await replaceFile(this.#path, JSON.stringify({ ...file.place, positions }));
      this.#tell(undefined);
    } catch (error) {
      this.#tell(error);
    }
  }

  #position(standing: Standing): v.InferOutput<typeof schema>['positions'][number] {
    const { sender, epoch, written: last, heardAt } = standing;
    const isCurrent = this.#options.file.epochs.get(sender) === epoch;
    return { sender, epoch, last, isCurrent, heardAt: Math.max(0, Math.floor(heardAt)) };
  }

  #isForgettable({ heardAt }: Standing): boolean {
    const now = this.#options.clock.now();
    return now - heardAt > forgetMs && now - this.#startedAt > patienceMs;
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

/** A crash leaves the old file or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

function none(error: unknown): undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
