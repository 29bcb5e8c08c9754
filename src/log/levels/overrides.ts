// Levels that were set at run time, and their file: `log/levels.json`.
//
// Every process of the site on this machine can read a file: idle ones, later ones, and with any channel
// layer. Other machines receive the levels over the channel layer, and save them in a file of their own.

import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import type { Received } from '../../../channels/index.js';
import { LinodError } from '../../base/errors.js';
import { readRegular } from '../../base/files/regular-file.js';
import { type LevelName, LogLevels } from '../../base/log-levels.js';
import { parserOf } from '../../base/parse-message.js';
import { loggerNamePattern } from '../../site/log-settings.js';

/** Maximum names with a level. */
export const maxOverrides = 500;
/** How long an expired level is kept, for machines that are away. */
const keepMs = 7 * 86_400_000;

const instant = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const overrideSchema = v.object({
  name: v.pipe(v.string(), v.regex(loggerNamePattern)),
  /** Null: reset. It is kept for a while, so that an older message that arrives later does not count. */
  level: v.nullable(v.picklist(Array.from(LogLevels, ({ value }) => value))),
  /** When it was set, in ms since 1970. Of two for one name, the later one counts. */
  at: instant,
  /** When it expires, in ms since 1970; null: never. */
  until: v.nullable(instant),
  /** Who set it. */
  by: v.pipe(v.string(), v.maxLength(200)),
});
const overridesSchema = v.pipe(v.array(overrideSchema), v.maxLength(maxOverrides));
const messageSchema = v.object({ type: v.literal('log.levels'), levels: overridesSchema });

/** A level for the loggers of a name and those below it. */
export type LevelOverride = Readonly<v.InferOutput<typeof overrideSchema>>;

/** Sends levels that were set at run time to other machines: the newest for each name. */
export type LogLevelsMessage = v.InferOutput<typeof messageSchema>;

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogLevels: (received: Received) => LogLevelsMessage = parserOf(messageSchema);

/** The level of an override at an instant; undefined if it is reset or expired. */
export function levelAt({ level, until }: LevelOverride, now: number): LevelName | undefined {
  return level === null || (until !== null && until <= now) ? undefined : level;
}

/** Levels are set for too many names. */
export class TooManyLevelsError extends LinodError {
  constructor() {
    super(
      'LINOD_ERR_TOO_MANY_LEVELS',
      `levels can be set for ${maxOverrides} names at a time; names whose level was taken back count for a week`,
    );
  }
}

let writes = 0;

export class LevelsFile {
  readonly path: string;

  /** @param logDirectory the site's */
  constructor(logDirectory: string) {
    this.path = join(logDirectory, 'levels.json');
  }

  /** Changes whenever the file changes; empty without a file. */
  get state(): string {
    const info = statSync(this.path, { throwIfNoEntry: false, bigint: true });
    return info === undefined ? '' : `${info.ino} ${info.mtimeNs} ${info.size}`;
  }

  /**
   * The overrides in the file, including expired ones; undefined for an invalid file.
   *
   * @throws as readRegular; a missing file counts as empty
   */
  read(): LevelOverride[] | undefined {
    if (this.state === '') return [];
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), overridesSchema), readRegular(this.path));
    return parsed.success ? parsed.output : undefined;
  }

  /**
   * Saves overrides, unless the file has later ones for the same names. Atomic. If two processes write at the
   * same moment, one may have to write again.
   *
   * @returns whether the file has changed
   * @throws TooManyLevelsError (`LINOD_ERR_TOO_MANY_LEVELS`), or the file system's error
   */
  write(overrides: readonly LevelOverride[], now: number): boolean {
    const known = new Map(this.read()?.map((override) => [override.name, override]));
    const news = overrides.filter(({ name, at }) => at > (known.get(name)?.at ?? -1));
    if (news.length === 0) return false;
    for (const override of news) known.set(override.name, override);
    const kept = [...known.values()].filter((override) => !isForgotten(override, now));
    if (kept.length > maxOverrides) throw new TooManyLevelsError();
    mkdirSync(dirname(this.path), { recursive: true });
    const draft = `${this.path}.${process.pid}-${++writes}.draft`;
    writeFileSync(draft, `[\n${kept.map((override) => `  ${JSON.stringify(override)}`).join(',\n')}\n]\n`);
    renameSync(draft, this.path);
    return true;
  }
}

function isForgotten(override: LevelOverride, now: number): boolean {
  return levelAt(override, now) === undefined && Math.max(override.until ?? 0, override.at) < now - keepMs;
}

/**
 * While a command waits, each process that has read a change leaves a file with its label as name in this
 * directory.
 */
export function receiptsDirectory(logDirectory: string): string {
  return join(logDirectory, 'levels.heard');
}
