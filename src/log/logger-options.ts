// Options of loggers and transports, which programs in JavaScript hand over unchecked.

import { LinodError, suggestion } from '../base/errors.js';

/** There is no such option: what a misspelt `redact` is to hide would stand in the log. */
export class LoggerOptionError extends LinodError {
  readonly option: string;

  constructor(what: string, option: string, known: readonly string[]) {
    const hint = suggestion(option, known) || `; there are ${known.join(', ')}`;
    super('LINOD_ERR_LOGGER_OPTION', `${what} has no option ${JSON.stringify(option)}${hint}`);
    this.option = option;
  }
}

/**
 * @param what whose options they are, for the message
 * @throws LoggerOptionError (`LINOD_ERR_LOGGER_OPTION`) for one that is not among the known
 */
export function checkOptions(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) throw new LoggerOptionError(what, unknown, known);
}
