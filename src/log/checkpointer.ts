// Saves now and then how far the writer has come.

import type { Clock } from '../clock.js';
import type { Inbox, Standing } from './inbox.js';
import type { LedgerFile } from './ledger-file.js';
import type { PositionStore } from './positions.js';

export interface CheckpointerOptions {
  readonly clock: Clock;
  readonly store: PositionStore;
  readonly inbox: Inbox;
  readonly file: LedgerFile;
  /** Told once when saving or loading fails, and with undefined when it goes well again. */
  readonly onTrouble: (error: unknown) => void;
}

const saveEveryMs = 5000;
/** A sender that was silent for so long is forgotten, if the writer was there to hear it for `patienceMs`. */
const forgetMs = 7 * 86_400_000;
const patienceMs = 3_600_000;

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #startedAt: number;
  /** What was saved of each sender, to save only what differs. */
  readonly #saved = new Map<Standing, string>();
  #saving: Promise<void> = Promise.resolve();
  /** The next save, if it waits for the one before. */
  #queued: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #inTrouble = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** Fills the inbox and tells the file its place. Without a checkpoint, or a store, all of the file will be read. */
  async load(): Promise<void> {
    const { store, inbox, file, clock } = this.#options;
    try {
      const checkpoint = await store.load();
      if (checkpoint === undefined) return;
      for (const { sender, epoch, last, heardAt } of checkpoint.positions) {
        inbox.standing(sender, epoch, Math.min(heardAt, clock.now())).found(last);
      }
      const current = checkpoint.positions.filter((position) => position.isCurrent);
      file.restore(
        checkpoint,
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

  /** Saves now or, when the last save is still under way, after it: what is true then. Never rejects. */
  save(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#queued ??= this.#saving.then(() => {
      this.#queued = undefined;
      return this.#save();
    });
    this.#saving = this.#queued;
    return this.#saving;
  }

  async #save(): Promise<void> {
    const { store, inbox, file } = this.#options;
    if (file.place === undefined) return;
    const forgotten = [...inbox].filter((standing) => this.#isForgettable(standing));
    for (const standing of forgotten) inbox.forget(standing);
    const changed = [...inbox].filter((standing) => this.#saved.get(standing) !== this.#state(standing));
    const states = changed.map((standing) => [standing, this.#state(standing)] as const);
    const positions = changed.map((standing) => ({
      sender: standing.sender,
      epoch: standing.epoch,
      last: standing.written,
      isCurrent: this.#isCurrent(standing),
      heardAt: standing.heardAt,
    }));
    try {
      await store.save({ ...file.place, positions, forgotten });
      for (const [standing, state] of states) this.#saved.set(standing, state);
      for (const standing of forgotten) this.#saved.delete(standing);
      this.#tell(undefined);
    } catch (error) {
      this.#tell(error);
    }
  }

  #state(standing: Standing): string {
    return `${standing.written} ${this.#isCurrent(standing)}`;
  }

  #isCurrent({ sender, epoch }: Standing): boolean {
    return this.#options.file.epochs.get(sender) === epoch;
  }

  #isForgettable(standing: Standing): boolean {
    const now = this.#options.clock.now();
    return now - standing.heardAt > forgetMs && now - this.#startedAt > patienceMs;
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}
