// Which level holds for a logger, by its dotted name.

import { type LevelName, LogLevels } from '../../base/log-levels.js';
import { type LevelsByName, rootName } from '../../site/log-settings.js';

/** What a program has set in its code for the logger of a name. */
export type OwnLevel = (name: string) => LevelName | undefined;

const levelnos = Object.fromEntries(Array.from(LogLevels, (level) => [level.value, level.levelno])) as Record<
  LevelName,
  number
>;

/** Python's number of a level: 10 to 50. */
export function levelnoOf(level: LevelName): number {
  return levelnos[level];
}

/** Says which records are wanted. */
export interface LevelSource {
  /** Another number as soon as an answer may be another one, so that loggers can keep what they were told. */
  readonly version: number;
  /** Whether the answers count. Before, every record is wanted, and to be asked about again when they do. */
  readonly isSettled: boolean;
  /**
   * The number of the level below which records of a logger are dropped.
   *
   * @param own levels that the program has set for this logger and those above it
   */
  threshold(name: string, own?: OwnLevel): number;
  /** A level was set in the program. */
  touch(): void;
}

/**
 * Levels by dotted names, each inherited by the names below it. The nearest name for which there is a level decides:
 * for `shop.orders.mail` that name, then `shop.orders`, then `shop`, then {@link rootName}, which has one always.
 * Where several say something about the same name, the strongest is the level that was set while the program runs
 * (`linod log level`), then the one in the program's code, then the site's settings.
 */
export class LevelTree implements LevelSource {
  #version = 1;
  #configured: ReadonlyMap<string, LevelName> | undefined;
  #overrides: ReadonlyMap<string, LevelName> = new Map();

  /** @param configured by the site's settings; when left out, the tree is not settled before {@link configure} */
  constructor(configured?: LevelsByName) {
    if (configured !== undefined) this.configure(configured);
  }

  get version(): number {
    return this.#version;
  }

  get isSettled(): boolean {
    return this.#configured !== undefined;
  }

  /** Takes over the levels of the site's settings. */
  configure(levels: LevelsByName): void {
    this.#configured = new Map(Object.entries(levels));
    this.touch();
  }

  /** Takes over the levels that were set while the program runs. */
  override(levels: ReadonlyMap<string, LevelName>): void {
    this.#overrides = levels;
    this.touch();
  }

  /** What the settings say. */
  get configured(): LevelsByName {
    return Object.fromEntries(this.#configured ?? []);
  }

  threshold(name: string, own?: OwnLevel): number {
    if (this.#configured === undefined) return 0;
    for (let at = name; ; at = above(at)) {
      const level = this.#overrides.get(at) ?? own?.(at) ?? this.#configured.get(at);
      if (level !== undefined) return levelnos[level];
      if (at === rootName) return levelnos.INFO;
    }
  }

  touch(): void {
    this.#version++;
  }
}

/**
 * A source for one that wants more than others: records from `level` on are wanted, too. A level that the program
 * itself has set for the very logger counts alone.
 */
export function atMost(source: LevelSource, level: LevelName): LevelSource {
  return {
    get version() {
      return source.version;
    },
    get isSettled() {
      return source.isSettled;
    },
    threshold(name, own) {
      const threshold = source.threshold(name, own);
      return own?.(name) === undefined ? Math.min(threshold, levelnos[level]) : threshold;
    },
    touch: () => source.touch(),
  };
}

function above(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : rootName;
}
