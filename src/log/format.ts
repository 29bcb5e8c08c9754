// What a line of lino.log looks like.

import { type Fields, stringifyFields } from './fields.js';
import type { LevelName } from './levels.js';

/** What is longer is cut, and the record says so. */
export const maxRecordBytes = 64 * 1024;

/** Stands where the sender would for the log writer's own notes, which nobody sent. */
export const noSender = '-';

/** Length of the time and the space behind it: the level begins there. */
export const timeWidth = 30;

const indent = '    ';
/** Ends each line of a record but the last. */
const continued = ' \n';

/** What a terminal might act upon or an editor might hide: control characters, half characters, direction marks. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
const everyUnsafe = new RegExp(unsafe.source, 'gu');

/** What a record consists of, but for its head. */
export interface RecordText {
  readonly message: string;
  readonly fields?: Fields | undefined;
  /** Lines that follow the message, such as an error's stack. */
  readonly trace?: string | undefined;
}

/**
 * The head of a record, up to the message:
 *
 *     2026-11-24 20:00:01.123+02:00 INFO web[812]#4811 shop.orders:
 *
 * Time in the site's zone, level, sender (`name[pid]`), the sender's number for the record, the logger's name.
 *
 * @param who the sender and number, or {@link noSender}
 * @param logger as {@link loggerName} returns it
 */
export function formatHead(time: string, level: LevelName, who: string, logger: string): string {
  return `${time} ${level} ${who} ${logger}: `;
}

/**
 * A whole record, with its final `\n`.
 *
 * - A record is one head line and any number of continuation lines. Only a head line begins with a digit; a
 *   continuation line begins with four spaces.
 * - A line that ends in a space is continued by the next; the last line of a record never does. So whether a
 *   record is complete can be told from the file alone, also after a crash in the middle of a write.
 * - The first line of the message is followed by the fields as JSON, if there are any; then come the rest of the
 *   message and the trace.
 * - Control characters (a tab is none) are shown as `\x1b`; halves of surrogate pairs and characters that change
 *   the direction of text as `\u202e`. Spaces at the ends of lines are left out.
 * - A record of more than 64 kB is cut and ends with `… [cut: N bytes]`, N being what it would have been.
 *
 * @param head as {@link formatHead} returns it
 */
export function formatRecord(head: string, text: RecordText): string {
  const { message, fields, trace } = text;
  if (message.length > maxRecordBytes || (trace?.length ?? 0) > maxRecordBytes) return cutBefore(head, text);
  const json = fields === undefined ? '' : escapeUnsafe(stringifyFields(fields));
  const lines = splitLines(message, trace);
  const body = lines === undefined ? join(message, json) : joinLines(lines, json);
  const record = body === '' ? head.trimEnd() : head + body;
  // No character takes more than three bytes for each of its UTF-16 units.
  return record.length * 3 < maxRecordBytes ? `${record}\n` : `${cut(record)}\n`;
}

/** The lines of a record that needs care; undefined for one line with nothing in it to be changed. */
function splitLines(message: string, trace: string | undefined): string[] | undefined {
  if (trace === undefined && !unsafe.test(message) && !message.endsWith(' ')) return undefined;
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

function escapeUnsafe(text: string): string {
  if (!unsafe.test(text)) return text;
  return text.replace(everyUnsafe, (char) => {
    if (char === '\t') return char;
    const code = char.charCodeAt(0);
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
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

/**
 * The name of a sender as it stands in the log, `web[812]`: ASCII letters, digits and `._@+-`, then the process
 * number. Others become `_`.
 */
export function senderLabel(name: string, pid: number): string {
  return `${clean(name, 60) || 'process'}[${pid}]`;
}

/** A logger's name as it stands in the log: no spaces, no colons, `root` if it is empty. */
export function loggerName(name: string): string {
  return clean(name, 120) || 'root';
}

function clean(name: string, length: number): string {
  return name.slice(0, length).replace(/[^\w.@+-]/g, '_');
}

/** Whether this is the label of a sender, as {@link senderLabel} makes it. */
export function isSenderLabel(text: string): boolean {
  return /^[\w.@+-]{1,60}\[\d{1,10}\]$/.test(text);
}

/** What a head line tells. */
export interface Head {
  /** As it stands there, `2026-11-24 20:00:01.123+02:00`; `new Date(time)` reads it. */
  readonly time: string;
  readonly level: LevelName;
  /** The sender's label; undefined for a note of the log writer. */
  readonly sender: string | undefined;
  /** The sender's number for the record; 0 for a note. */
  readonly number: number;
  readonly logger: string;
  /** The rest of the line: first line of the message, and fields. */
  readonly text: string;
}

const headLine =
  /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d) (DEBUG|INFO|WARNING|ERROR|CRITICAL) (?:(\S+\[\d+\])#(\d+)|-) ([\w.@+-]+):(?: (.*))?$/;

/** Reads a head line, with or without its newline; undefined for a continuation line and what is no line of ours. */
export function parseHead(line: string): Head | undefined {
  const found = headLine.exec(line.trimEnd());
  if (found === null) return undefined;
  const [, time = '', level = '', sender, number = '0', logger = '', text = ''] = found;
  return { time, level: level as LevelName, sender, number: Number(number), logger, text };
}
