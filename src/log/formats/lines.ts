// The body of a record as people read it: lines, of which each but the last ends in a space.

import { stringifyFields } from '../fields.js';
import { type Head, maxRecordBytes, type RecordText } from './line-format.js';
import { escapeUnsafe, hasUnsafe } from './unsafe.js';

const indent = '    ';
/** Ends each line of a record but the last. */
const continued = ' \n';

/**
 * A whole record of the formats `text` and `lino`, with its final `\n`.
 *
 * - A continuation line begins with four spaces. A line that ends in a space is continued by the next; the last line of
 *   a record never does.
 * - The first line of the message is followed by the fields as JSON, if there are any; then come the rest of the
 *   message and the trace.
 * - Control characters (a tab is none) are shown as `\x1b`; halves of surrogate pairs and characters that change
 *   the direction of text as `\u202e`. Spaces at the ends of lines are left out.
 * - A record of more than 64 kB is cut and ends with `… [cut: N bytes]`, N being what it would have been.
 */
export function formatLines(head: string, text: RecordText): string {
  const { message, fields, trace } = text;
  if (message.length > maxRecordBytes || (trace?.length ?? 0) > maxRecordBytes) return cutBefore(head, text);
  const json = fields === undefined ? '' : escapeUnsafe(stringifyFields(fields));
  const lines = splitLines(message, trace);
  const body = lines === undefined ? join(message, json) : joinLines(lines, json);
  const record = body === '' ? head.trimEnd() : head + body;
  // No character takes more than three bytes for each of its UTF-16 units.
  return record.length * 3 < maxRecordBytes ? `${record}\n` : `${cut(record)}\n`;
}

/** The text behind the head, without what only joins its lines. */
export function readLines(record: string, { end }: Head): RecordText {
  const lines = record.slice(end).trimEnd().split('\n');
  return { message: lines.map((line, n) => line.slice(n === 0 ? 1 : indent.length).trimEnd()).join('\n') };
}

/** The lines of a record that needs care; undefined for one line with nothing in it to be changed. */
function splitLines(message: string, trace: string | undefined): string[] | undefined {
  if (trace === undefined && !hasUnsafe(message) && !message.endsWith(' ')) return undefined;
  const text = trace === undefined ? message : `${message}\n${trace}`;
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => escapeUnsafe(line).trimEnd());
}

function joinLines(lines: readonly string[], json: string): string {
  const [first = '', ...rest] = lines;
  return [join(first, json), ...rest.map((line) => indent + line)].join(continued);
}

function join(message: string, json: string): string {
  if (json === '') return message;
  return message === '' ? json : `${message} ${json}`;
}

/** Shortens the text first, so that a message of a gigabyte is not escaped only to be thrown away. */
function cutBefore(head: string, { message, fields, trace = '' }: RecordText): string {
  const size = Buffer.byteLength(message) + Buffer.byteLength(trace);
  const text = { message: message.slice(0, maxRecordBytes), fields, trace: trace.slice(0, maxRecordBytes) };
  const json = fields === undefined ? '' : escapeUnsafe(stringifyFields(fields));
  const lines = splitLines(text.message, text.trace) ?? [text.message];
  return `${cut(head + joinLines(lines, json), size + Buffer.byteLength(head) + json.length)}\n`;
}

/** The record in at most {@link maxRecordBytes} bytes with the final newline. */
function cut(record: string, sizeBytes = Buffer.byteLength(record) + 1): string {
  const bytes = Buffer.from(record);
  if (bytes.length < maxRecordBytes && sizeBytes <= maxRecordBytes) return record;
  const remark = ` … [cut: ${sizeBytes} bytes]`;
  let end = Math.min(bytes.length, maxRecordBytes - Buffer.byteLength(remark) - 1);
  // Not between the bytes of one character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end).trimEnd() + remark;
}
