// The file in which the levels that were set at run time are written down: `log/levels.json`.
//
// A file, since every process of the site on this machine can read it, whatever its channel layer, also one that is idle,
// and one that starts later.

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { LinodError } from '../../errors.js';
import { type LevelOverride, levelAt, maxOverrides, overridesSchema } from './override.js';

/** What does not hold any more is kept for so long: other machines may be away. */
const keepMs = 7 * 86_400_000;

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
   * @throws what readFile throws, save that a file that is not there holds nothing
   */
  read(): LevelOverride[] | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
    try {
      const parsed = v.safeParse(overridesSchema, JSON.parse(text));
      return parsed.success ? parsed.output : undefined;
    } catch {
      return undefined; // no JSON
    }
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

/** Levels were set for more names than any site has use for. */
export class TooManyLevelsError extends LinodError {
  constructor() {
    super(
      'LINOD_ERR_TOO_MANY_LEVELS',
      `levels can be set for ${maxOverrides} names at a time; names whose level was taken back count for a week`,
    );
  }
}
