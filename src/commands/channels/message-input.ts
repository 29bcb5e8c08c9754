// A message as a person writes it on the command line.

import type { Message } from '../../../channels/index.js';
import { UsageError } from '../../errors.js';
import { parseJson } from '../json-text.js';

/**
 * Makes a message of a JSON object and, where that has none, a type.
 *
 * @param source what the text is called in errors: `the message`, `standard input`
 * @throws UsageError (`LINOD_ERR_USAGE`), with the line and column of what is no JSON
 */
export function parseMessageInput(source: string, text: string, type: string | undefined): Message {
  const found = parseJson(source, text);
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw new UsageError(`expected ${source} to be a JSON object, got: ${kind(found)}`);
  const message: Record<string, unknown> = { ...found };
  if (type !== undefined && message.type !== undefined && message.type !== type)
    throw new UsageError(
      `${source} has the type ${JSON.stringify(message.type)}, and --type says ${JSON.stringify(type)}`,
    );
  const given = message.type ?? type;
  if (typeof given !== 'string' || given === '')
    throw new UsageError(
      `expected ${source} to have a type that is text, such as {"type": "worker.ping"}; or give it with --type`,
    );
  return { ...message, type: given };
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
