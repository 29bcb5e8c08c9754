// All formats, and which of them a record is written in.

import { instantOf } from '../../local-time.js';
import { jsonFormat } from './json.js';
import type { FormatName, LineFormat, ParsedRecord } from './line-format.js';
import { linoFormat } from './lino.js';
import { logfmtFormat } from './logfmt.js';
import { textFormat } from './text.js';

const formats: Readonly<Record<FormatName, LineFormat>> = {
  text: textFormat,
  lino: linoFormat,
  json: jsonFormat,
  logfmt: logfmtFormat,
};

const dash = 0x2d;
const zero = 0x30;
const nine = 0x39;
const brace = 0x7b;
const letterT = 0x74;

export function lineFormat(name: FormatName): LineFormat {
  return formats[name];
}

/**
 * The format of the record that begins at `at`, by its first five bytes; undefined where none can begin, such as at a
 * continuation line. Whether it is a record tells its head: see `HeadScan`.
 */
export function formatAt(bytes: Uint8Array, at: number): LineFormat | undefined {
  const first = bytes[at] ?? 0;
  if (first >= zero && first <= nine) return bytes[at + 4] === dash ? textFormat : linoFormat;
  if (first === brace) return jsonFormat;
  return first === letterT ? logfmtFormat : undefined;
}

/**
 * Reads a whole record of any format, with or without its final `\n`.
 *
 * @returns undefined for what is no record
 */
export function parseRecord(record: string): ParsedRecord | undefined {
  return formatAt(Buffer.from(record.slice(0, 5), 'latin1'), 0)?.parse(record);
}

/** Whether a record may begin with this line, which may be unfinished. */
export function mayBegin(line: string): boolean {
  return /^\d/.test(line) || openings.some((opening) => opening.startsWith(line.slice(0, opening.length)));
}

/** Bytes at the begin of a line that {@link mayBegin} looks at. */
export const maxOpening = 16;

const openings = Object.values(formats)
  .map((format) => format.layout.opening)
  .filter((opening) => opening !== '');

/**
 * When a record was written, in ms; `NaN` if its time cannot be read.
 *
 * @param timezone the site's, for the format that writes no offset
 */
export function recordInstant({ time }: Pick<ParsedRecord, 'time'>, timezone: string): number {
  const lino = /^(\d{4})(\d\d)-(\d\d) (\d\d:\d\d:\d\d)$/.exec(time);
  if (lino === null) return new Date(time).getTime();
  const [, year = '', month = '', day = '', clock = ''] = lino;
  return instantOf(`${year}-${month}-${day}T${clock}`, timezone)?.getTime() ?? Number.NaN;
}
