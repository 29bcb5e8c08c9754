// What a program says on its console, as records of the log.

import { format } from 'node:util';
import type { LevelName } from '../../base/log-levels.js';
import type { Logger } from '../logger.js';

const levels = {
  log: 'INFO',
  info: 'INFO',
  debug: 'DEBUG',
  warn: 'WARNING',
  error: 'ERROR',
} as const satisfies Record<string, LevelName>;

type Method = keyof typeof levels;
type Say = (...values: unknown[]) => void;

export interface CaptureConsoleOptions {
  /** Whether the console still prints; default false. */
  readonly alsoPrint?: boolean;
}

/**
 * From now on what is said on the console goes to a logger: `console.log` and `info` as INFO, `debug` as
 * DEBUG, `warn` as WARNING, `error` as ERROR. So do those methods that are made of them, such as
 * `console.table`, `dir`, `trace` and `assert`. Placeholders are filled in as the console does; an error
 * alone comes with its stack.
 *
 * What is said while a record is being written goes to the console itself, so that a logger which is in
 * trouble and says so does not hear itself.
 *
 * @returns what undoes it. Safe to call twice; if somebody else has changed the console in the meantime, that
 * stays, and what reaches this goes to the console as it was before.
 * @example
 * const undo = captureConsole(createLogger({ name: 'web' }));
 * console.warn('%d of %d seats left', 3, 10);
 */
export function captureConsole(logger: Logger, options: CaptureConsoleOptions = {}): () => void {
  const { alsoPrint = false } = options;
  let isOn = true;
  let isWriting = false;
  const undos = (Object.keys(levels) as Method[]).map((method) => {
    const before: Say = console[method];
    const captured: Say = (...values) => {
      if (!isOn || isWriting || alsoPrint) Reflect.apply(before, console, values);
      if (!isOn || isWriting) return;
      isWriting = true;
      try {
        write(logger, levels[method], values);
      } finally {
        isWriting = false;
      }
    };
    console[method] = captured;
    return () => {
      if (console[method] === captured) console[method] = before;
    };
  });
  return () => {
    isOn = false;
    for (const undo of undos.splice(0)) undo();
  };
}

function write(logger: Logger, level: LevelName, values: readonly unknown[]): void {
  if (!logger.isEnabledFor(level)) return;
  const [first] = values;
  if (values.length === 1 && first instanceof Error) logger.log(level, first);
  else logger.log(level, format(...values));
}
