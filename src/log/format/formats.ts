// All formats, and the one parser of a record in any of them.

import type { LevelName } from '../../base/log-levels.js';
import type { FormatName } from '../../site/log-settings.js';
import { Instants } from './instants.js';
import { jsonFormat } from './json.js';
import type { Head, LineFormat, ParsedRecord } from './line-format.js';
import { linoFormat, textFormat } from './lines.js';
import { logfmtFormat } from './logfmt.js';

const formats: Readonly<Record<FormatName, LineFormat>> = {
  text: textFormat,
  lino: linoFormat,
  json: jsonFormat,
  logfmt: logfmtFormat,
};

export function lineFormat(name: FormatName): LineFormat {
  return formats[name];
}

/**
 * Reads the head of the record that begins at `at`, in any format. A head is ASCII, so the text may be
 * decoded as UTF-8 or, to keep the offsets of bytes, as latin1.
 *
 * @returns undefined where no record begins, such as at a continuation line
 */
export function parseHead(text: string, at = 0): Head | undefined {
  const format = formatAt(text, at);
  if (format === undefined) return undefined;
  const { headPattern } = format;
  headPattern.lastIndex = at;
  const groups = headPattern.exec(text);
  if (groups === null) return undefined;
  const [, time = '', level, sender, number = '0', logger = ''] = groups;
  const end = headPattern.lastIndex;
  // The pattern lets no other level pass.
  return { format, time, level: level as LevelName, sender, number: Number(number), logger, end };
}

/** Reads a whole record, with or without its final `\n`; undefined for what is no record. */
export function parseRecord(record: string): ParsedRecord | undefined {
  const head = parseHead(record);
  const text = head?.format.readText(record, head);
  return head && text && { ...head, ...text };
}

/**
 * Where the record ends in which `at` lies, behind its newline; -1 when that is not in the text. A line that
 * ends in a space is continued by the next one.
 */
export function recordEnd(text: string, at: number): number {
  let end = text.indexOf('\n', at);
  while (end > at && text[end - 1] === ' ') end = text.indexOf('\n', end + 1);
  return end < 0 ? -1 : end + 1;
}

/** Whether a record may begin with this line, which may be unfinished. */
export function mayBegin(line: string): boolean {
  return (
    /^\d/.test(line) || ['{"time":"', 'time='].some((begin) => begin.startsWith(line.slice(0, begin.length)))
  );
}

/** When a record was logged, in ms; see {@link Instants}. @param timezone the site's */
export function recordInstant({ time }: Pick<Head, 'time'>, timezone: string): number {
  return new Instants(timezone).of(time);
}

/** The first character decides the format, or the fifth. */
function formatAt(text: string, at: number): LineFormat | undefined {
  const first = text[at];
  if (first === '{') return jsonFormat;
  if (first === 't') return logfmtFormat;
  if (first === undefined || first < '0' || first > '9') return undefined;
  return text[at + 4] === '-' ? textFormat : linoFormat;
}
