// The public names of `linod/log`. What is not listed here is free to change.

export { type CreateLoggerOptions, createLogger } from './create-logger.js';
export type { Fields } from './fields.js';
export { type LevelName, type LogLevel, LogLevels, parseLevel, UnknownLevelError } from './levels.js';
export { Logger, type LoggerOptions } from './logger.js';
export { LogNotFlushedError } from './sender.js';
export type { LogSink } from './sink.js';
