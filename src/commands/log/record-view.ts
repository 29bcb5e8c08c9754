// A record of the log, as it is printed.

import { recordInstant } from '../../log/formats/formats.js';
import type { LevelName } from '../../log/levels.js';
import { contentOf, type Shown } from '../../log/reading/filter.js';
import { Timestamps } from '../../log/timestamp.js';
import { type Style, styled } from '../output.js';
import { printable } from '../printable.js';

const styles: Readonly<Partial<Record<LevelName, Style>>> = {
  WARNING: 'yellow',
  ERROR: 'red',
  CRITICAL: ['bold', 'red'],
  DEBUG: 'gray',
};

/** As it stands in the log, coloured by its level in a terminal; there, what is no record can do no harm. */
export function plainText({ text, level }: Shown): string {
  if (level === undefined) return process.stdout.isTTY ? text.split('\n').map(printable).join('\n') : text;
  const style = styles[level];
  if (style === undefined) return text;
  return text
    .split('\n')
    .map((line) => styled(style, line))
    .join('\n');
}

/**
 * Makes of a record one line of JSON with the same parts in whatever format it stands in the log; of what is no record, its
 * `text`.
 *
 * @param timezone the site's, for the format that writes no offset
 */
export function jsonView(timezone: string): (shown: Shown) => string {
  const timestamps = new Timestamps(timezone, 'iso');
  return ({ text, level }) => {
    const record = level === undefined ? undefined : contentOf(text);
    if (record === undefined) return JSON.stringify({ text });
    const { sender, number, logger, message, fields, trace } = record;
    const time = isoTime(record.time) ?? timestamps.format(recordInstant(record, timezone));
    return JSON.stringify({ time, level, sender, number, logger, message, fields, trace });
  };
}

/** The time of a record that tells its offset, as ISO 8601 has it. */
function isoTime(time: string): string | undefined {
  return /^\d{4}-\d\d-\d\d[ T].*[+-]\d\d:\d\d$/.test(time) ? time.replace(' ', 'T') : undefined;
}
