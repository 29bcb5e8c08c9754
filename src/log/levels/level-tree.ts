// Finds the level of a logger by its dotted name.

import { type LevelName, LogLevels } from '../../base/log-levels.js';
import { type LevelsByName, rootName } from '../../site/log-settings.js';

/** The level that a program has set in its code for the logger of a name. */
export type OwnLevel = (name: string) => LevelName | undefined;

const levelnos = Object.fromEntries(Array.from(LogLevels, (level) => [level.value, level.levelno])) as Record<
  LevelName,
  number
>;

/** Python's number of a level: 10 to 50. */
export function levelnoOf(level: LevelName): number {
  return levelnos[level];
}

/** Decides which records are logged. */
export interface LevelSource {
  /** Changes whenever an answer may change, so that loggers can cache answers. */
  readonly version: number;
  /** Whether the answers are final. Until then, loggers keep every record and ask again. */
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
 * Levels by dotted names, each inherited by the names below it. The nearest name with a level decides: for
 * `shop.orders.mail` that name, then `shop.orders`, then `shop`, then {@link rootName}, which always has one.
 * For one name, a level that was set at run time (`linod log level`) comes first, then the program's code,
 * then the site's settings.
 */
export class LevelTree implements LevelSource {
  #version = 1;
  #configured: ReadonlyMap<string, LevelName> | undefined;
  #overrides: ReadonlyMap<string, LevelName> = new Map();

  /**
   * @param configured the levels of the site's settings; without them, the tree is not settled until {@link
   * configure}
   */
  constructor(configured?: LevelsByName) {
    if (configured !== undefined) this.configure(configured);
  }

  get version(): number {
    return this.#version;
  }

  get isSettled(): boolean {
    return this.#configured !== undefined;
  }

  /** Sets the levels of the site's settings. */
  configure(levels: LevelsByName): void {
    this.#configured = new Map(Object.entries(levels));
    this.touch();
  }

  /** Sets the levels that were set at run time. */
  override(levels: ReadonlyMap<string, LevelName>): void {
    this.#overrides = levels;
    this.touch();
  }

  /** The levels of the settings. */
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
 * Thresholds for a logger that logs more than others: records from `level` on are logged, too. A level that
 * the program has set for the same logger takes precedence.
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

/** Logs everything, whatever any level says. */
export const everything: LevelSource = {
  version: 0,
  isSettled: true,
  threshold: () => levelnos.DEBUG,
  touch: () => undefined,
};

function above(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : rootName;
}
