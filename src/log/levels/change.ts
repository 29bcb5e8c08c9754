// Sets levels at run time, and tells who has heard of it.

import { LinodError } from '../../errors.js';
import type { Site } from '../../site.js';
import type { LevelName } from '../levels.js';
import { sendersGroup } from '../messages.js';
import { announceLevels } from './carry.js';
import { type LevelOverride, levelAt } from './override.js';
import { maxOverrides, OverridesDirectory } from './overrides-directory.js';
import { Receipts } from './receipts.js';

/** Processes that are neither suspended nor very busy have heard by then. */
const hearMs = 800;
const layerMs = 3000;

/**
 * One change of levels, made by a command.
 *
 * @example
 * const change = new LevelChange(site, 'ann');
 * change.set(new Map([['shop.orders', 'DEBUG']]), 900_000);
 * console.log(await change.heard());
 */
export class LevelChange {
  readonly #site: Site;
  readonly #directory: OverridesDirectory;
  readonly #by: string;
  readonly #now = Date.now();
  #receipts: Receipts | undefined;

  /** @param by who makes it */
  constructor(site: Site, by: string) {
    this.#site = site;
    this.#directory = new OverridesDirectory(site.logDirectory);
    this.#by = by.slice(0, 200);
  }

  /**
   * Lets levels hold for some loggers and those below them.
   *
   * @param forMs for how long; null for until it is taken back
   * @throws what the file system throws, LoggerNameError
   */
  set(levels: ReadonlyMap<string, LevelName>, forMs: number | null): readonly LevelOverride[] {
    const until = forMs === null ? null : this.#now + forMs;
    return this.#write([...levels].map(([name, level]) => ({ name, level, until })));
  }

  /**
   * Takes back what was set for some names, or for all where there are none.
   *
   * @returns what was taken back; empty when nothing of it held
   * @throws as {@link set}
   */
  reset(names: readonly string[]): readonly LevelOverride[] {
    const held = this.#directory.read().filter((override) => levelAt(override, this.#now) !== undefined);
    const meant = held.filter(({ name }) => names.length === 0 || names.includes(name));
    return this.#write(meant.map(({ name }) => ({ name, level: null, until: null })));
  }

  /** Which processes of this machine have taken it over, as the log calls them, after giving them some time. */
  async heard(): Promise<readonly string[]> {
    if (this.#receipts === undefined) return [];
    await new Promise((resolve) => setTimeout(resolve, hearMs));
    try {
      return this.#receipts.read();
    } finally {
      this.#receipts.remove();
    }
  }

  /**
   * Tells the processes of other machines, where the channel layer reaches some.
   *
   * @returns why they could not be told; undefined when they were, or there are none
   */
  async announce(overrides: readonly LevelOverride[]): Promise<string | undefined> {
    const { channelLayer, useLinod } = this.#site.settings;
    if (!useLinod || (typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:')))
      return undefined;
    try {
      const layer = await this.#site.openLayer({ timeoutMs: layerMs });
      try {
        const { logChannel, workersGroup } = this.#site;
        if (layer.extensions.has('groups'))
          await announceLevels(layer, [sendersGroup(logChannel), workersGroup], overrides);
        return undefined;
      } finally {
        await layer.close();
      }
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #write(changes: ReadonlyArray<Pick<LevelOverride, 'name' | 'level' | 'until'>>): LevelOverride[] {
    if (changes.length === 0) return [];
    this.#directory.make();
    this.#directory.sweep(this.#now);
    const there = new Map(this.#directory.read().map((override) => [override.name, override]));
    if (new Set([...there.keys(), ...changes.map(({ name }) => name)]).size > maxOverrides)
      throw new TooManyLevelsError();
    this.#receipts = new Receipts(this.#directory.path, this.#now);
    const receipts = this.#receipts.name;
    const overrides = changes.map((change) => {
      // After what is there, also when that was written on a machine or at a time whose clock was ahead.
      const at = Math.max(this.#now, (there.get(change.name)?.at ?? 0) + 1);
      return { ...change, at, by: this.#by, receipts };
    });
    for (const override of overrides) this.#directory.write(override);
    return overrides;
  }
}

/** Levels were set for more names than any site has use for. */
export class TooManyLevelsError extends LinodError {
  constructor() {
    super(
      'LINOD_ERR_TOO_MANY_LEVELS',
      `levels can be set for ${maxOverrides} names at a time; names whose level was taken back count for a week`,
    );
  }
}
