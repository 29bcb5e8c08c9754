// The default format: a line for people, with milliseconds and the zone's offset.

import { noSender } from '../names.js';
import { headParts, type LineFormat } from './line-format.js';
import { formatLines, readLines } from './lines.js';

const { clock, offset, level, sender, number, logger } = headParts;

/** `2026-11-24 20:00:01.123+02:00 INFO web[812]#4811 shop.orders: order paid {"order":4711}` */
export const textFormat: LineFormat = {
  name: 'text',
  time: 'text',
  layout: {
    opening: '',
    timeLength: 29,
    beforeLevel: ' ',
    beforeSender: ' ',
    isLoggerFirst: false,
    beforeNumber: '#',
    afterNumber: ' ',
    afterNoSender: ' ',
    beforeLogger: '',
    afterLogger: ':',
    isSpaced: true,
    closing: '',
    isMultiline: true,
  },
  head(time, level, sender, number, logger) {
    if (sender === noSender) return `${time} ${level} ${noSender} ${logger}: `;
    return begin(time, level, sender) + number + end(logger);
  },
  record: formatLines,
  headPattern: new RegExp(
    `(\\d{4}-\\d\\d-\\d\\d ${clock}\\.\\d{3}${offset}) ${level} (?:${sender}#${number}|-) ${logger}:(?=[ \\n]|$)`,
    'y',
  ),
  readText: readLines,
};

// Of thousands of records in a row, most differ in the number and the message only. A text that was put together
// before costs nothing, and what is put together of few parts is written out sooner.

let [lastTime, lastLevel, lastSender, lastBegin] = ['', '', '', ''];
let [lastLogger, lastEnd] = ['', ''];

function begin(time: string, level: string, sender: string): string {
  if (time !== lastTime || level !== lastLevel || sender !== lastSender) {
    [lastTime, lastLevel, lastSender] = [time, level, sender];
    lastBegin = `${time} ${level} ${sender}#`;
  }
  return lastBegin;
}

function end(logger: string): string {
  if (logger !== lastLogger) {
    lastLogger = logger;
    lastEnd = ` ${logger}: `;
  }
  return lastEnd;
}
