// The default format: a line for people, with milliseconds and the zone's offset.

import { noSender } from '../names.js';
import { headParts, type LineFormat } from './line-format.js';
import { formatLines, readLines } from './lines.js';

const { clock, offset, level, sender, number, logger } = headParts;

/** `2026-11-24 20:00:01.123+02:00 INFO web[812]#4811 shop.orders: order paid {"order":4711}` */
export const textFormat: LineFormat = {
  name: 'text',
  time: 'text',
  head(time, level, sender, number, logger) {
    const origin = sender === noSender ? noSender : `${sender}#${number}`;
    return `${time} ${level} ${origin} ${logger}: `;
  },
  record: formatLines,
  headPattern: new RegExp(
    `(\\d{4}-\\d\\d-\\d\\d ${clock}\\.\\d{3}${offset}) ${level} (?:${sender}#${number}|-) ${logger}:(?=[ \\n]|$)`,
    'y',
  ),
  readText: readLines,
};
