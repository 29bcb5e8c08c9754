// The original's own line: `202611-24 20:00:01 INFO [module process thread] : message`.

import type { LevelName } from '../levels.js';
import { noSender } from '../names.js';
import type { LineFormat, ParsedRecord } from './line-format.js';
import { formatLines, readLines } from './lines.js';

const headLine =
  /^(\d{6}-\d\d \d\d:\d\d:\d\d) (DEBUG|INFO|WARNING|ERROR|CRITICAL) \[([\w.@+-]+) (?:(\S+\[\d+\])#(\d+)|-) \S+\] :(?: (.*))?$/;

/**
 * `202611-24 20:00:01 INFO [shop.orders web[812]#4811 main] : order paid {"order":4711}`
 *
 * Seconds of the site's clocks without their offset, as in the original: so an hour that the clocks show twice cannot be
 * told from its repetition. The process is the sender with its number.
 */
export const linoFormat: LineFormat = {
  name: 'lino',
  time: 'lino',
  layout: {
    opening: '',
    timeLength: 18,
    beforeLevel: ' ',
    beforeSender: ' [',
    isLoggerFirst: true,
    beforeNumber: '#',
    afterNumber: ' ',
    afterNoSender: ' ',
    beforeLogger: 'main]',
    afterLogger: ' :',
    isSpaced: true,
    closing: '',
    isMultiline: true,
  },
  head(time, level, sender, number, logger) {
    const process = sender === noSender ? noSender : `${sender}#${number}`;
    return `${time} ${level} [${logger} ${process} main] : `;
  },
  record: formatLines,
  parse(record): ParsedRecord | undefined {
    const [first = '', ...rest] = record.trimEnd().split('\n');
    const found = headLine.exec(first.trimEnd());
    if (found === null) return undefined;
    const [, time = '', level = '', logger = '', sender, number = '0', text = ''] = found;
    const message = readLines([text, ...rest]);
    return { time, level: level as LevelName, sender, number: Number(number), logger, message };
  },
};
