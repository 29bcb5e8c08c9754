// Rotates the log when it is time, and sees to the rotated files behind the writer's back.

import type { Clock } from '../../clock.js';
import { isRotationDue, type RotationPolicy } from '../rotation.js';
import type { LedgerFile } from './ledger-file.js';
import { rotatedPath, tidyRotated } from './rotated-files.js';

export interface RotatorOptions {
  /** The log file. */
  readonly path: string;
  readonly policy: RotationPolicy;
  readonly clock: Clock;
  readonly timezone?: string | undefined;
  /** Told when a file cannot be rotated, compressed or removed, at most once a minute. The log goes on. */
  readonly onTrouble: (error: unknown) => void;
}

/** After a failure, nothing is renamed for so long, and no further one is told. */
const retryMs = 60_000;
/** Age is looked at so often, also when nothing is rotated. */
const tidyEveryMs = 3_600_000;

/** Keeps a log within its policy. None of its methods rejects. */
export class Rotator {
  readonly #options: RotatorOptions;
  readonly #timezone: string;
  readonly #stop = new AbortController();
  #tidying: Promise<void> = Promise.resolve();
  #cancelTidy: (() => void) | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: RotatorOptions) {
    this.#options = options;
    this.#timezone = options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  /** Gives the file another name if it is time; tells whether it did. */
  async rotate(file: LedgerFile): Promise<boolean> {
    const { path, policy, clock } = this.#options;
    const now = clock.now();
    const sinceMs = now - this.#failedAt;
    if (sinceMs >= 0 && sinceMs < retryMs) return false;
    if (file.isFresh || !isRotationDue(policy, file, now, this.#timezone)) return false;
    try {
      await file.moveTo(await rotatedPath(path, now));
      return true;
    } catch (error) {
      this.#failedAt = now;
      this.#tell(error);
      return false;
    }
  }

  /** Compresses and removes rotated files in the background, from now on also every hour. */
  tidyLater(): void {
    if (this.#stop.signal.aborted) return;
    this.#tidying = this.#tidying.then(() => this.#tidy());
    this.#cancelTidy?.();
    this.#cancelTidy = this.#options.clock.after(tidyEveryMs, () => this.tidyLater());
  }

  /** Resolves when what is to be done in the background is done. */
  settled(): Promise<void> {
    return this.#tidying;
  }

  /** Interrupts what is done in the background; the next rotator begins it anew. Safe to call twice. */
  async stop(): Promise<void> {
    this.#cancelTidy?.();
    this.#stop.abort();
    await this.#tidying;
  }

  async #tidy(): Promise<void> {
    const { path, policy, clock } = this.#options;
    try {
      await tidyRotated(path, policy, clock.now(), this.#stop.signal);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#tell(error);
    }
  }

  /** While the log grows fast, there is a file to be compressed many times a second. */
  #tell(error: unknown): void {
    const now = this.#options.clock.now();
    const sinceMs = now - this.#toldAt;
    if (sinceMs >= 0 && sinceMs < retryMs) return;
    this.#toldAt = now;
    this.#options.onTrouble(error);
  }
}
