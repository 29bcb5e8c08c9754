// Levels that were set while the programs of a site run, and the file in which they stand: `log/levels.json`.
//
// A file, since every process of the site on this machine can read it, whatever its channel layer, also one that is idle,
// and one that starts later. Other machines hear of them over the channel layer, and write them down for their processes.

import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import type { Received } from '../../../channels/index.js';
import { LinodError } from '../../base/errors.js';
import { type LevelName, LogLevels } from '../../base/log-levels.js';
import { parserOf } from '../../base/parse-message.js';
import { readRegular } from '../../base/regular-file.js';
import { loggerNamePattern } from '../../site/log-settings.js';

/** What is said about so many names is enough for any site. */
export const maxOverrides = 500;
/** What does not hold any more is kept for so long: other machines may be away. */
const keepMs = 7 * 86_400_000;

const instant = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const overrideSchema = v.object({
  name: v.pipe(v.string(), v.regex(loggerNamePattern)),
  /** Null: taken back. It is kept for a while, so that an older one that comes later from elsewhere does not count. */
  level: v.nullable(v.picklist(Array.from(LogLevels, ({ value }) => value))),
  /** When it was set, in ms since 1970. Of two for one name the later counts. */
  at: instant,
  /** From when on it does not hold any more; null: until it is taken back. */
  until: v.nullable(instant),
  /** Who set it. */
  by: v.pipe(v.string(), v.maxLength(200)),
});
const overridesSchema = v.pipe(v.array(overrideSchema), v.maxLength(maxOverrides));
const messageSchema = v.object({ type: v.literal('log.levels'), levels: overridesSchema });

/** A level for the loggers of a name and those below it. */
export type LevelOverride = Readonly<v.InferOutput<typeof overrideSchema>>;

/** Tells other machines what was set at run time, the newest word for each name. */
export type LogLevelsMessage = v.InferOutput<typeof messageSchema>;

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogLevels: (received: Received) => LogLevelsMessage = parserOf(messageSchema);

/** The level that an override means at an instant; undefined for none. */
export function levelAt({ level, until }: LevelOverride, now: number): LevelName | undefined {
  return level === null || (until !== null && until <= now) ? undefined : level;
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

let writes = 0;

export class LevelsFile {
  readonly path: string;

  /** @param logDirectory the site's */
  constructor(logDirectory: string) {
    this.path = join(logDirectory, 'levels.json');
  }

  /** Another text whenever the file is another; empty when there is none. */
  get state(): string {
    const info = statSync(this.path, { throwIfNoEntry: false, bigint: true });
    return info === undefined ? '' : `${info.ino} ${info.mtimeNs} ${info.size}`;
  }

  /**
   * What stands there, also what does not hold any more; undefined when it makes no sense.
   *
   * @throws as readRegular, save that a file that is not there holds nothing
   */
  read(): LevelOverride[] | undefined {
    if (this.state === '') return [];
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), overridesSchema), readRegular(this.path));
    return parsed.success ? parsed.output : undefined;
  }

  /**
   * Writes some down, unless later ones for the same names are there. Atomic; of two that write in the same moment, one
   * may have to write again.
   *
   * @returns whether anything of it was news
   * @throws TooManyLevelsError (`LINOD_ERR_TOO_MANY_LEVELS`), and what the file system throws
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

/** While a command waits for them, processes leave a file in this directory, named by their label, when they have read a change. */
export function receiptsDirectory(logDirectory: string): string {
  return join(logDirectory, 'levels.heard');
}
