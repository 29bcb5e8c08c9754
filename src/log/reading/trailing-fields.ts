// The fields of a record in the formats for people, where they stand at the end of the first line, behind any text.

import type { Fields } from '../fields.js';

/**
 * Takes a message and the fields behind it apart. A text that itself ends in a JSON object cannot be told from one with
 * fields, and is read as such.
 *
 * @param message as `text` and `lino` hold it: fields, and further lines, follow the text
 * @returns the message without the fields, which are undefined where there are none
 */
export function splitFields(message: string): { readonly message: string; readonly fields?: Fields } {
  const newline = message.indexOf('\n');
  const line = newline < 0 ? message : message.slice(0, newline);
  if (!line.endsWith('}')) return { message };
  for (let at = line.indexOf('{"'); at >= 0; at = line.indexOf('{"', at + 1)) {
    const fields = parseObject(line.slice(at));
    if (fields === undefined) continue;
    return { message: line.slice(0, at).trimEnd() + message.slice(line.length), fields };
  }
  return { message };
}

function parseObject(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined; // braces of the message
  }
}
