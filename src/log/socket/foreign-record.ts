// Single records of processes that have no sender of their own, such as Python's.

import { type LevelName, levelAtMost, parseLevel } from '../../base/log-levels.js';
import { type LevelSource, levelnoOf } from '../levels/level-tree.js';
import type { LogRecord } from '../messages.js';
import { loggerName } from '../names.js';
import type { LogSender } from '../sender/sender.js';
import { readGivenTime } from './given-time.js';

/** Which records are logged, by the names of their loggers. */
export type Thresholds = Pick<LevelSource, 'threshold'>;

/**
 * Writes such a record with `sender`, unless it is below the level of its logger. The record's fields name
 * its origin.
 */
export function writeForeign(sender: Pick<LogSender, 'write'>, record: LogRecord, levels: Thresholds): void {
  const level = levelOf(record);
  const logger = loggerName(record.name);
  if (levelnoOf(level) < levels.threshold(logger)) return;
  const message = record.message ?? record.msg ?? '';
  const origin = [record.processName, record.process].filter((part) => part !== undefined).join(' ');
  const fields = { ...record.fields, ...(origin === '' ? {} : { process: origin }) };
  const trace = [record.exc_text, record.stack_info].filter((text) => typeof text === 'string').join('\n');
  sender.write(
    level,
    logger,
    message,
    Object.keys(fields).length === 0 ? undefined : fields,
    trace === '' ? undefined : trace,
    readGivenTime(record.time) ?? readGivenTime(record.created),
  );
}

/** A level of Python between two of ours counts as the lower one. An unknown name counts as INFO. */
function levelOf({ level, levelno, levelname }: LogRecord): LevelName {
  const number = levelno ?? (typeof level === 'number' ? level : undefined);
  if (number !== undefined) return levelAtMost(number);
  const name = typeof level === 'string' ? level : levelname;
  try {
    return parseLevel(name ?? 'INFO').value;
  } catch {
    return 'INFO';
  }
}
