// The levels of a site as one process knows them: those of the settings, and those that were set at run time.

import { type FSWatcher, statSync, watch } from 'node:fs';
import { untilBeat } from '../../../channels/beat.js';
import type { Clock } from '../../clock.js';
import type { LevelName } from '../levels.js';
import { type LevelsByName, LevelTree } from './level-tree.js';
import { type LevelOverride, levelAt } from './override.js';
import type { OverridesDirectory } from './overrides-directory.js';
import { leaveReceipts } from './receipts.js';

export interface SiteLevelsOptions {
  readonly directory: OverridesDirectory;
  readonly clock: Clock;
  /** What the log calls this process, `web[812]`, for whoever sets a level and wants to know who has heard. */
  readonly label: string;
  /** Told what holds whenever that changes, and at first. Must not throw. */
  readonly onOverrides?: ((overrides: readonly LevelOverride[]) => void) | undefined;
}

/** Several files may change at once; a notice may come just before what it tells of. */
const settleMs = 20;
/** Instead of at each beat, where the directory cannot be watched. */
const lookUnwatchedEveryMs = 500;

/**
 * Follows the directory of run-time levels, and lets each level end when its time is over. It hears of a change within
 * some ms by a watch on that directory, costs nothing in between but a glance every 5 s, and keeps no process alive.
 */
export class SiteLevels {
  readonly tree: LevelTree;
  readonly #options: SiteLevelsOptions;
  readonly #given = new Set<string>();
  #overrides: readonly LevelOverride[] = [];
  #watcher: FSWatcher | undefined;
  /** Of the directory that is watched and was read: which it is, and when something in it changed. */
  #seen = '';
  #cancelLook: () => void = () => {};
  #cancelNet: () => void = () => {};
  #cancelExpiry: () => void = () => {};
  #isClosed = false;

  constructor(options: SiteLevelsOptions, tree = new LevelTree()) {
    this.#options = options;
    this.tree = tree;
  }

  /** Reads what was set, and follows it from now on. */
  start(configured: LevelsByName): void {
    // The watch first, so that nothing is written between the two.
    this.#watchAgain();
    this.#read();
    this.tree.configure(configured);
  }

  /** What was set at run time and holds now. */
  get overrides(): readonly LevelOverride[] {
    const now = this.#options.clock.now();
    return this.#overrides.filter((override) => levelAt(override, now) !== undefined);
  }

  /** What was said at run time, also what does not hold any more: for telling other machines. */
  get known(): readonly LevelOverride[] {
    return this.#overrides;
  }

  /** Reads what stands in the directory by now. */
  look(): void {
    this.#read();
  }

  /** Writes down what another machine tells, if it is news. Never throws. */
  take(overrides: readonly LevelOverride[]): void {
    let isNews = false;
    try {
      for (const override of overrides) isNews = this.#options.directory.write(override) || isNews;
    } catch {
      // A directory that cannot be written: the next message, or the one after that, is tried again.
    }
    if (isNews) this.#read();
  }

  /** Follows no longer; what holds by then goes on to hold. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#watcher = undefined;
    for (const cancel of [this.#cancelLook, this.#cancelNet, this.#cancelExpiry]) cancel();
  }

  /** Never throws: a directory that cannot be read leaves the levels as they are. */
  #read(): void {
    const { directory, label, onOverrides } = this.#options;
    this.#cancelLook();
    try {
      this.#seen = stateOf(directory.path);
      this.#overrides = directory.read();
    } catch {
      return;
    }
    this.#apply();
    onOverrides?.(this.#overrides);
    leaveReceipts(directory.path, this.#overrides, label, this.#given);
  }

  /** Makes what holds now count, and comes again when the first of it ends. */
  #apply(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const levels = new Map<string, LevelName>();
    let nextEnd = Number.POSITIVE_INFINITY;
    for (const override of this.#overrides) {
      const level = levelAt(override, now);
      if (level === undefined) continue;
      levels.set(override.name, level);
      nextEnd = Math.min(nextEnd, override.until ?? Number.POSITIVE_INFINITY);
    }
    this.tree.override(levels);
    this.#cancelExpiry();
    if (Number.isFinite(nextEnd)) this.#cancelExpiry = clock.after(nextEnd - now, () => this.#apply());
  }

  #watchAgain(): void {
    const { directory, clock } = this.#options;
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      directory.make();
      const watcher = watch(directory.path, { persistent: false }, (_event, file) => this.#onNotice(file));
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // Not allowed, or no more watches: then it is looked at more often.
    }
    this.#cancelNet();
    if (!this.#isClosed) this.#cancelNet = clock.after(this.#netMs, () => this.#glance());
  }

  /** The net is for notices that were lost, for a directory that was removed, and for clocks that were set. */
  get #netMs(): number {
    return this.#watcher === undefined ? lookUnwatchedEveryMs : untilBeat(this.#options.clock.now());
  }

  #onNotice(file: string | null): void {
    if (file?.startsWith('.')) return;
    this.#cancelLook();
    this.#cancelLook = this.#options.clock.after(settleMs, () => this.#read());
  }

  #glance(): void {
    const { directory, clock } = this.#options;
    const state = stateOf(directory.path);
    const isOther = state === '' || state.split(' ')[0] !== this.#seen.split(' ')[0];
    if (isOther || this.#watcher === undefined) this.#watchAgain();
    else this.#cancelNet = clock.after(this.#netMs, () => this.#glance());
    if (state !== this.#seen) this.#read();
    else this.#apply();
  }
}

/** Tells a directory from another of the same name, and from itself before a change; empty when there is none. */
function stateOf(path: string): string {
  const info = statSync(path, { throwIfNoEntry: false, bigint: true });
  return info === undefined ? '' : `${info.dev}:${info.ino} ${info.mtimeNs}`;
}
