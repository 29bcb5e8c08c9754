// JSON lines: for programs that read logs.

import * as v from 'valibot';
import { stringifyFields } from '../fields.js';
import { type FittedText, fit } from './fit.js';
import { headParts, type LineFormat } from './line-format.js';
import { escapeInJson, quoteSafely } from './unsafe.js';

const { clock, offset, level, sender, number, logger } = headParts;
const schema = v.object({
  message: v.string(),
  fields: v.optional(v.record(v.string(), v.unknown())),
  trace: v.optional(v.string()),
});

/**
 * One object a line, its keys always in this order; the last three only when there is something:
 *
 *     {"time":"2026-11-24T20:00:01.123+02:00","level":"INFO","sender":"web[812]","number":4811,"logger":"shop.orders",
 *     "message":"order paid","fields":{"order":4711},"trace":"Error: …","cut":70123}
 *
 * Line breaks and control characters are JSON's escapes, so a parser has them back as they were. `cut` says how many
 * bytes a record would have had that was longer than 64 kB.
 */
export const jsonFormat: LineFormat = {
  name: 'json',
  time: 'iso',
  head(time, level, sender, number, logger) {
    return `{"time":"${time}","level":"${level}","sender":"${sender}","number":${number},"logger":"${logger}","message":`;
  },
  record: (head, text) => fit(head, text, (head, part) => head + body(part)),
  headPattern: new RegExp(
    `\\{"time":"(\\d{4}-\\d\\d-\\d\\dT${clock}\\.\\d{3}${offset})","level":"${level}","sender":"(?:${sender}","number":${number}|-","number":0),"logger":"${logger}",(?="message":)`,
    'y',
  ),
  readText(record) {
    let value: unknown;
    try {
      value = JSON.parse(record);
    } catch {
      return undefined; // a damaged line
    }
    const parsed = v.safeParse(schema, value);
    return parsed.success ? parsed.output : undefined;
  },
};

function body({ message, fields, trace, cut }: FittedText): string {
  let json = quoteSafely(message);
  if (fields !== undefined) json += `,"fields":${escapeInJson(stringifyFields(fields))}`;
  if (trace !== undefined) json += `,"trace":${quoteSafely(trace)}`;
  if (cut !== undefined) json += `,"cut":${cut}`;
  return `${json}}\n`;
}
