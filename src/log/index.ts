// The public names of `linod/log`. What is not listed here is free to change.

export {
  type LevelName,
  type LogLevel,
  LogLevels,
  parseLevel,
  UnknownLevelError,
} from '../base/log-levels.js';
export { type CaptureConsoleOptions, captureConsole } from './bridges/console.js';
export { type CreateLoggerOptions, createLogger } from './create-logger.js';
export type { Fields } from './fields.js';
export { Logger, type LoggerOptions, type LogMessage } from './logger.js';
export { LoggerOptionError } from './logger-options.js';
export { RedactPathError } from './redaction.js';
export { LogNotFlushedError } from './sender/sender.js';
export type { LogSink } from './sink.js';
