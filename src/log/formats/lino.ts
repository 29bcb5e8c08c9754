// The original's own line: `202611-24 20:00:01 INFO [module process thread] : message`.

import { noSender } from '../names.js';
import { headParts, type LineFormat } from './line-format.js';
import { formatLines, readLines } from './lines.js';

const { clock, level, sender, number, logger } = headParts;

/**
 * `202611-24 20:00:01 INFO [shop.orders web[812]#4811 main] : order paid {"order":4711}`
 *
 * Seconds of the site's clocks without their offset, as in the original: so an hour that the clocks show twice cannot be
 * told from its repetition. The process is the sender with its number.
 */
export const linoFormat: LineFormat = {
  name: 'lino',
  time: 'lino',
  head(time, level, sender, number, logger) {
    const origin = sender === noSender ? noSender : `${sender}#${number}`;
    return `${time} ${level} [${logger} ${origin} main] : `;
  },
  record: formatLines,
  // Looks ahead for the sender, so that the groups have the order of the other formats.
  headPattern: new RegExp(
    `(\\d{6}-\\d\\d ${clock}) ${level} \\[(?=\\S+ (?:${sender}#${number}|-) main\\] :(?:[ \\n]|$))${logger} \\S+ main\\] :`,
    'y',
  ),
  readText: readLines,
};
