// Parses any of the notations.

import { parseCron } from './cron.js';
import { plainTiming, type Timing } from './notation.js';
import { parseRrule } from './rrule.js';
import { parseWords } from './words.js';

/**
 * Parses when something is due, in any notation. A text with `FREQ=`, `RRULE:` or `DTSTART` is RRULE text. A
 * text that begins with `@`, with `TZ=` or with two fields without letters is cron. All others are words.
 *
 * @example
 * parseWhen('every 2 weeks on mon, fri at 10:00');
 * parseWhen('0 10 * * mon,fri');
 * parseWhen('RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR');
 * @throws NotationError (`LINOD_ERR_NOTATION`) pointing at the invalid part
 */
export function parseWhen(text: string): Timing {
  if (/(^|[\s;])(FREQ=|RRULE:|DTSTART[;:])/i.test(text)) return parseRrule(text);
  if (/^\s*(@|(CRON_)?TZ=|[\d*?,/-]+\s+[\d*?,/-]+(\s|$))/.test(text)) return parseCronLine(text);
  return parseWords(text);
}

/** A cron expression, perhaps after `CRON_TZ=…` or `TZ=…`. */
function parseCronLine(text: string): Timing {
  const [, timezone = null, expression = text] = /^\s*(?:CRON_)?TZ=(\S+)\s+(.*)$/s.exec(text) ?? [];
  return { ...plainTiming, everyUnit: 'cron', cron: parseCron(expression).text, timezone };
}
