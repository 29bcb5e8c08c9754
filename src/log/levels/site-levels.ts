// The levels of a site in one process: those of the settings, and those that were set at run time.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import type { LevelName } from '../../base/log-levels.js';
import type { LevelsByName } from '../../site/log-settings.js';
import { LevelTree } from './level-tree.js';
import { type LevelOverride, LevelsFile, levelAt, receiptsDirectory } from './overrides.js';

export interface SiteLevelsOptions {
  /** The site's. */
  readonly logDirectory: string;
  readonly clock: Clock;
  /** The label of this process, `web[812]`. The command that sets a level lists it. */
  readonly label: string;
}

const pollMs = 300;

/** Polls the file of run-time levels, and ends each level when it expires. Keeps no process alive. */
export class SiteLevels {
  readonly tree: LevelTree;
  readonly #options: SiteLevelsOptions;
  readonly #file: LevelsFile;
  /** The file's state when it was read last. */
  #seen = '';
  #overrides: readonly LevelOverride[] = [];
  /** When the next level expires, in ms since 1970. */
  #nextEnd = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(options: SiteLevelsOptions, tree = new LevelTree()) {
    this.#options = options;
    this.#file = new LevelsFile(options.logDirectory);
    this.tree = tree;
  }

  /** Reads the levels that were set, and follows changes from now on. */
  start(configured: LevelsByName): void {
    this.#keepPolling();
    this.tree.configure(configured);
  }

  /** All levels that were set at run time, including expired ones: for other machines. */
  get known(): readonly LevelOverride[] {
    return this.#overrides;
  }

  /** Reads the file if it has changed. Never throws: an unreadable file leaves the levels as they are. */
  poll(): void {
    const now = this.#options.clock.now();
    try {
      const state = this.#file.state;
      if (state !== this.#seen) {
        this.#overrides = this.#file.read() ?? this.#overrides;
        this.#seen = state;
        this.#apply(now);
        this.#leaveReceipt();
      }
    } catch {
      // The next poll reads it.
    }
    if (now >= this.#nextEnd) this.#apply(now);
  }

  /** Saves the levels that another machine has set, if they are new. Never throws. */
  take(overrides: readonly LevelOverride[]): void {
    try {
      this.#file.write(overrides, this.#options.clock.now());
    } catch {
      // The file cannot be written. The next message is another chance.
    }
    this.poll();
  }

  /** Stops following changes. The present levels stay. Safe to call twice. */
  close(): void {
    this.#cancel();
  }

  #keepPolling(): void {
    this.poll();
    this.#cancel = this.#options.clock.after(pollMs, () => this.#keepPolling());
  }

  #apply(now: number): void {
    const levels = new Map<string, LevelName>();
    this.#nextEnd = Number.POSITIVE_INFINITY;
    for (const override of this.#overrides) {
      const level = levelAt(override, now);
      if (level === undefined) continue;
      levels.set(override.name, level);
      this.#nextEnd = Math.min(this.#nextEnd, override.until ?? Number.POSITIVE_INFINITY);
    }
    this.tree.override(levels);
  }

  /** Confirms the change to the command that waits for it, if there is one. */
  #leaveReceipt(): void {
    const { logDirectory, label } = this.#options;
    try {
      writeFileSync(join(receiptsDirectory(logDirectory), encodeURIComponent(label)), '');
    } catch {
      // No command waits.
    }
  }
}
