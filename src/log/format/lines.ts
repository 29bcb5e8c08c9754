// The formats for people, `text` and `lino`: lines, of which each but the last ends in a space.

import { stringifyFields } from '../fields.js';
import { noSender } from '../names.js';
import { type FittedText, fit } from './fit.js';
import { type Head, headParts, type LineFormat, type RecordText } from './line-format.js';
import { escapeUnsafe, hasUnsafe } from './unsafe.js';

const { clock, offset, level, sender, number, logger } = headParts;
const indent = '    ';
/** Ends each line of a record but the last. */
const continued = ' \n';

/**
 * What both have in common:
 *
 * - A continuation line begins with four spaces. A line that ends in a space is continued by the next; the
 *   last line of a record never does.
 * - The first line of the message is followed by the fields as JSON, if there are any; then come the rest of
 *   the message and the trace.
 * - Control characters (a tab is none) are shown as `\x1b`; halves of surrogate pairs and characters that
 *   change the direction of text as `\u202e`. Spaces at the ends of lines are removed.
 * - A record of more than 64 kB is cut and ends with `… [cut: N bytes]`, N being what it would have been.
 */
const asLines = {
  record: (head, text) => fit(head, text, render),
  readText: readLines,
} satisfies Partial<LineFormat>;

/** The default: `2026-11-24 20:00:01.123+02:00 INFO web[812]#4811 shop.orders: order paid {"order":4711}` */
export const textFormat: LineFormat = {
  name: 'text',
  time: 'text',
  head: (time, level, sender, number, logger) => `${time} ${level} ${origin(sender, number)} ${logger}: `,
  headPattern: new RegExp(
    `(\\d{4}-\\d\\d-\\d\\d ${clock}\\.\\d{3}${offset}) ${level} (?:${sender}#${number}|-) ${logger}:(?=[ \\n]|$)`,
    'y',
  ),
  ...asLines,
};

/**
 * The original's own line: `202611-24 20:00:01 INFO [shop.orders web[812]#4811 main] : order paid
 * {"order":4711}`
 *
 * Seconds of the site's clocks without their offset, as in the original: so an hour that the clocks show
 * twice looks the same both times. The process is the sender with its number.
 */
export const linoFormat: LineFormat = {
  name: 'lino',
  time: 'lino',
  head: (time, level, sender, number, logger) =>
    `${time} ${level} [${logger} ${origin(sender, number)} main] : `,
  // Looks ahead for the sender, so that the groups have the order of the other formats.
  headPattern: new RegExp(
    `(\\d{6}-\\d\\d ${clock}) ${level} \\[(?=\\S+ (?:${sender}#${number}|-) main\\] :(?:[ \\n]|$))${logger} \\S+ main\\] :`,
    'y',
  ),
  ...asLines,
};

function origin(sender: string, number: number): string {
  return sender === noSender ? noSender : `${sender}#${number}`;
}

function render(head: string, text: FittedText): string {
  const body = bodyOf(text);
  return `${body === '' ? head.trimEnd() : head + body}\n`;
}

function bodyOf({ message, fields, trace, cut }: FittedText): string {
  const json = fields === undefined ? '' : escapeUnsafe(stringifyFields(fields));
  // Most records are one line with nothing in it to be changed.
  const isPlain = trace === undefined && !hasUnsafe(message) && !message.endsWith(' ');
  if (isPlain && cut === undefined) return join(message, json);
  const [first = '', ...rest] = splitLines(trace === undefined ? message : `${message}\n${trace}`);
  const body = [join(first, json), ...rest.map((line) => indent + line)].join(continued);
  return cut === undefined ? body : `${body.replace(/ …$/, '')} … [cut: ${cut} bytes]`;
}

function splitLines(text: string): string[] {
  const lines = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => escapeUnsafe(line).trimEnd());
}

function join(message: string, json: string): string {
  if (json === '') return message;
  return message === '' ? json : `${message} ${json}`;
}

/** The text behind the head, without what only joins its lines. */
function readLines(record: string, { end }: Head): RecordText {
  const lines = record.slice(end).trimEnd().split('\n');
  return { message: lines.map((line, n) => line.slice(n === 0 ? 1 : indent.length).trimEnd()).join('\n') };
}
