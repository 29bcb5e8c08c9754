// Sets levels at run time, and tells who has heard of it.

import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Site } from '../../site.js';
import type { LevelName } from '../levels.js';
import { sendersGroup } from '../messages.js';
import { logLevelsMessage } from './carry.js';
import { LevelsFile } from './levels-file.js';
import { type LevelOverride, levelAt } from './override.js';

/** Processes that are neither suspended nor very busy have heard by then. */
const hearMs = 800;
const layerMs = 3000;
/** What is older was left by a command that was killed. */
const receiptsMs = 60_000;

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
  readonly #file: LevelsFile;
  readonly #by: string;
  readonly #now = Date.now();
  readonly #receipts: string;
  #written: readonly LevelOverride[] = [];

  /** @param by who makes it */
  constructor(site: Site, by: string) {
    this.#site = site;
    this.#file = new LevelsFile(site.logDirectory);
    this.#by = by.slice(0, 200);
    this.#receipts = `.receipts-${process.pid}-${this.#now.toString(36)}`;
  }

  /**
   * Lets levels hold for some loggers and those below them.
   *
   * @param forMs for how long; null for until it is taken back
   * @returns how many were written
   * @throws what the file system throws, TooManyLevelsError
   */
  set(levels: ReadonlyMap<string, LevelName>, forMs: number | null): number {
    const until = forMs === null ? null : this.#now + forMs;
    return this.#write([...levels].map(([name, level]) => ({ name, level, until })));
  }

  /**
   * Takes back what was set for some names, or for all where there are none.
   *
   * @returns how many were taken back; 0 when nothing of it held
   * @throws as {@link set}
   */
  reset(names: readonly string[]): number {
    const held = (this.#file.read() ?? []).filter((override) => levelAt(override, this.#now) !== undefined);
    const meant = held.filter(({ name }) => names.length === 0 || names.includes(name));
    return this.#write(meant.map(({ name }) => ({ name, level: null, until: null })));
  }

  /** Which processes of this machine have taken it over, as the log calls them, after giving them some time. */
  async heard(): Promise<readonly string[]> {
    const path = join(this.#site.logDirectory, this.#receipts);
    await setTimeout(hearMs);
    // Another command may have written its own in the same moment.
    this.#file.write(this.#written, this.#now);
    const labels = readdirSync(path).map((name) => decodeURIComponent(name));
    rmSync(path, { recursive: true, force: true });
    return labels.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  /**
   * Tells the processes of other machines, where the channel layer reaches some.
   *
   * @returns why they could not be told; undefined when they were, or there are none
   */
  async announce(): Promise<string | undefined> {
    const { channelLayer, useLinod } = this.#site.settings;
    if (!useLinod || (typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:')))
      return undefined;
    try {
      const layer = await this.#site.openLayer({ timeoutMs: layerMs });
      try {
        if (!layer.extensions.has('groups')) return undefined;
        for (const group of [sendersGroup(this.#site.logChannel), this.#site.workersGroup])
          await layer.groupSend(group, logLevelsMessage(this.#written));
        return undefined;
      } finally {
        await layer.close();
      }
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #write(changes: ReadonlyArray<Pick<LevelOverride, 'name' | 'level' | 'until'>>): number {
    if (changes.length === 0) return 0;
    const there = new Map(this.#file.read()?.map((override) => [override.name, override]));
    this.#makeReceipts();
    this.#written = changes.map((change) => {
      // After what is there, also when that was written on a machine or at a time whose clock was ahead.
      const at = Math.max(this.#now, (there.get(change.name)?.at ?? 0) + 1);
      return { ...change, at, by: this.#by, receipts: this.#receipts };
    });
    this.#file.write(this.#written, this.#now);
    return this.#written.length;
  }

  #makeReceipts(): void {
    const { logDirectory } = this.#site;
    mkdirSync(join(logDirectory, this.#receipts), { recursive: true });
    for (const name of readdirSync(logDirectory).filter((name) => name.startsWith('.receipts-'))) {
      const path = join(logDirectory, name);
      const changedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? this.#now;
      if (changedAt < this.#now - receiptsMs) rmSync(path, { recursive: true, force: true });
    }
  }
}
