// Records of the log as the page gets them, and the filter of its query.

import { parseLevel } from '../../base/log-levels.js';
import { stringifyFields } from '../../log/fields.js';
import { parseRecord } from '../../log/format/formats.js';
import { escapeUnsafe } from '../../log/format/unsafe.js';
import type { Wanted } from '../../log/read/filter.js';
import { positionText } from '../../log/read/position.js';
import type { PlacedRecord } from '../../log/read/reader.js';
import { givenInstant } from '../../recurrence/time/parse-instant.js';
import type { LogLine } from '../api.js';

/** Records are at most so long; text that is none can be longer, and is cut. */
const maxTextLength = 64 * 1024;

/** @throws UsageError (`LINOD_ERR_USAGE`), UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`) */
export function wantedOf(query: URLSearchParams, timezone: string): Wanted {
  const value = (name: string) => query.get(name) || undefined;
  const level = value('level');
  return {
    level: level === undefined ? undefined : parseLevel(level).value,
    logger: value('logger'),
    sender: value('sender'),
    text: value('text'),
    since: givenInstant('since', value('since'), timezone)?.getTime(),
    until: givenInstant('until', value('until'), timezone)?.getTime(),
  };
}

export function logLine(record: PlacedRecord): LogLine {
  const { head, instant, level = null, position } = record;
  return {
    id: positionText(position),
    at: instant === undefined ? null : new Date(instant).toISOString(),
    level,
    logger: head?.logger ?? null,
    sender: head?.sender ?? null,
    number: head?.sender === undefined ? null : head.number,
    text: messageOf(record),
  };
}

/** The text for people to save. What linod did not write may hold escapes of a terminal, which are shown. */
export function textOf({ text, level }: PlacedRecord): string {
  return level === undefined ? text.split('\n').map(escapeUnsafe).join('\n') : text;
}

/** Message, fields and stack without the head, the same in every format. */
function messageOf(record: PlacedRecord): string {
  const parsed = record.head === undefined ? undefined : parseRecord(record.text);
  if (parsed === undefined) return textOf(record).slice(0, maxTextLength);
  const { message, fields, trace } = parsed;
  const json = fields === undefined ? '' : ` ${stringifyFields(fields)}`;
  const text = `${message}${json}${trace === undefined ? '' : `\n${trace}`}`;
  return text.split('\n').map(escapeUnsafe).join('\n');
}
