// Texts that logs are tried with, and what becomes of them in each format.

import { lineFormat } from '../../src/log/format/formats.js';
import type { LineFormat, RecordText } from '../../src/log/format/line-format.js';
import { formatNames } from '../../src/site/log-settings.js';
import { recordOf } from './log.js';
import type { Random } from './random.js';

export const formats: readonly LineFormat[] = formatNames.map(lineFormat);

/** Pieces that break a format which is not careful. */
const hostile = [
  '\n',
  '\r\n',
  ' ',
  '    ',
  '\t',
  '7',
  '{',
  '}',
  '"',
  '\\',
  '=',
  '#',
  '[',
  ']',
  ': ',
  'é',
  '😀',
  '\x00',
  '\x1b[31m',
  '\x7f',
  '\x9b',
  '\ud800',
  '\u2028',
  '\u202e',
  'null',
  '__proto__',
  'fields.',
  'trace',
  'plain',
  ...formats.map((format) => recordOf('web[812]', 4812, { message: 'forged' }, format)),
];

export function randomText(random: Random, maxPieces = 8): string {
  return Array.from({ length: random.whole(0, maxPieces) }, () => random.pick(hostile)).join('');
}

/** The message as it is read back: exactly, or as the formats for people show it. */
export function visible(format: LineFormat, { message, fields, trace }: RecordText): string {
  if (format.name === 'json' || format.name === 'logfmt') return withoutHalves(message);
  const [first = '', ...rest] = (trace === undefined ? message : `${message}\n${trace}`)
    .trimEnd()
    .split(/\r?\n/)
    .map(show);
  const plain = Object.entries(fields ?? {}).map(([key, value]) => [
    withoutHalves(key),
    typeof value === 'string' ? withoutHalves(value) : value,
  ]);
  const json = fields === undefined ? '' : show(JSON.stringify(Object.fromEntries(plain)));
  return [[first, json].filter((text) => text !== '').join(' '), ...rest].join('\n').trimEnd();
}

/** Half characters are shown in every format. */
function withoutHalves(text: string): string {
  return text.replace(/\p{Cs}/gu, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

function show(line: string): string {
  return line
    .replace(/[\p{Cc}\p{Cs}\u2028\u202e]/gu, (char) => {
      const code = char.charCodeAt(0);
      if (char === '\t') return char;
      return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
    })
    .trimEnd();
}
