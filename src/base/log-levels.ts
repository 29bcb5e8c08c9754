// The levels of Python's logging, which the original and its sites use.

import { type Choice, ChoiceList } from './choices.js';
import { LinodError } from './errors.js';

export type LevelName = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

export interface LogLevel extends Choice {
  readonly value: LevelName;
  /** Python's number: a record is kept when its number is at least the logger's. */
  readonly levelno: number;
}

/** DEBUG 10, INFO 20, WARNING 30, ERROR 40, CRITICAL 50. */
export const LogLevels: ChoiceList<LogLevel> = new ChoiceList<LogLevel>([
  level('DEBUG', 10),
  level('INFO', 20),
  level('WARNING', 30),
  level('ERROR', 40),
  level('CRITICAL', 50),
]);

/**
 * Reads a level as people write it: any case, `warn` for WARNING, or Python's number.
 *
 * @throws UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`)
 */
export function parseLevel(text: string): LogLevel {
  const name = text.trim().toUpperCase();
  const found =
    LogLevels.get(aliases[name] ?? name) ?? [...LogLevels].find((level) => String(level.levelno) === name);
  if (found === undefined) throw new UnknownLevelError(text);
  return found;
}

/**
 * The level whose number is the highest that is not above this one: Python and others know levels between
 * ours.
 */
export function levelAtMost(levelno: number): LevelName {
  return [...LogLevels].filter((level) => level.levelno <= levelno).at(-1)?.value ?? 'DEBUG';
}

export class UnknownLevelError extends LinodError {
  constructor(found: string) {
    const allowed = Array.from(LogLevels, (level) => level.value).join(', ');
    super('LINOD_ERR_UNKNOWN_LEVEL', `expected a log level (${allowed}), got: ${JSON.stringify(found)}`);
  }
}

const aliases: Record<string, string> = { WARN: 'WARNING', FATAL: 'CRITICAL' };

function level(name: LevelName, levelno: number): LogLevel {
  return { value: name, name, text: name, levelno };
}
