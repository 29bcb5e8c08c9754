// Sets levels at run time, and finds out which processes have applied them.

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { LevelName } from '../../base/log-levels.js';
import type { Site } from '../../site/site.js';
import { sendersGroup } from '../messages.js';
import {
  type LevelOverride,
  LevelsFile,
  type LogLevelsMessage,
  levelAt,
  receiptsDirectory,
} from './overrides.js';

/** Within this time, processes that are neither suspended nor very busy have applied a change. */
const hearMs = 800;
const layerMs = 3000;

/** A level for a name, or its removal, and until when it holds. */
type Change = Pick<LevelOverride, 'name' | 'level' | 'until'>;

/**
 * Sets levels for some loggers and those below them.
 *
 * @param by who makes the change
 * @param forMs for how long; null: until it is reset
 * @returns what was written
 * @throws TooManyLevelsError, or the file system's error
 */
export function setLevels(
  site: Site,
  by: string,
  levels: ReadonlyMap<string, LevelName>,
  forMs: number | null,
): readonly LevelOverride[] {
  const until = forMs === null ? null : Date.now() + forMs;
  return write(site, by, () => [...levels].map(([name, level]) => ({ name, level, until })));
}

/**
 * Resets the levels of some names, or of all if none is given.
 *
 * @returns what was written; empty if no level was set
 * @throws as {@link setLevels}
 */
export function resetLevels(site: Site, by: string, names: readonly string[]): readonly LevelOverride[] {
  return write(site, by, (there) =>
    there
      .filter((override) => levelAt(override, Date.now()) !== undefined)
      .filter(({ name }) => names.length === 0 || names.includes(name))
      .map(({ name }) => ({ name, level: null, until: null })),
  );
}

/** Waits a moment, and returns the labels of the processes on this machine that have applied a change. */
export async function heardBy(site: Site, change: readonly LevelOverride[]): Promise<readonly string[]> {
  const receipts = receiptsDirectory(site.logDirectory);
  await setTimeout(hearMs);
  // Another command may have written its own change at the same moment, or removed the receipts.
  new LevelsFile(site.logDirectory).write(change, Date.now());
  mkdirSync(receipts, { recursive: true });
  const labels = readdirSync(receipts).map((name) => decodeURIComponent(name));
  rmSync(receipts, { recursive: true, force: true });
  return labels.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/**
 * Sends a change to the processes of other machines, if the channel layer reaches them.
 *
 * @returns the reason of a failure; undefined if the change was sent, or there are no other machines
 */
export async function announceLevels(
  site: Site,
  change: readonly LevelOverride[],
): Promise<string | undefined> {
  const { channelLayer, useLinod } = site.settings;
  if (!useLinod || (typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:'))) return undefined;
  const message: LogLevelsMessage = { type: 'log.levels', levels: [...change] };
  try {
    const layer = await site.openLayer({ timeoutMs: layerMs });
    try {
      if (!layer.extensions.has('groups')) return undefined;
      for (const group of [sendersGroup(site.logChannel), site.workersGroup])
        await layer.groupSend(group, message);
      return undefined;
    } finally {
      await layer.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function write(
  { logDirectory }: Site,
  by: string,
  changesOf: (there: readonly LevelOverride[]) => Change[],
): readonly LevelOverride[] {
  const file = new LevelsFile(logDirectory);
  const there = file.read() ?? [];
  const now = Date.now();
  const written = changesOf(there).map((change) => {
    // Later than the present entries, even if a clock that was ahead wrote them.
    const before = there.find(({ name }) => name === change.name)?.at ?? 0;
    return { ...change, at: Math.max(now, before + 1), by: by.slice(0, 200) };
  });
  if (written.length === 0) return [];
  rmSync(receiptsDirectory(logDirectory), { recursive: true, force: true });
  mkdirSync(receiptsDirectory(logDirectory), { recursive: true });
  file.write(written, now);
  return written;
}
