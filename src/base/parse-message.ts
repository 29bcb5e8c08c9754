// From what a peer sent to a message that can be trusted.

import * as v from 'valibot';
import type { Received } from '../../channels/index.js';
import { LinodError } from './errors.js';
import { schemaProblems } from './schema-problem.js';

/** A message of a known type that lacks something, or has it wrong. It is dropped. */
export class BadMessageError extends LinodError {
  constructor(type: unknown, problem: string) {
    super('LINOD_ERR_BAD_MESSAGE', `message ${JSON.stringify(type)}: ${problem}`);
  }
}

/** Makes a parser of a schema. What it returns throws {@link BadMessageError} (`LINOD_ERR_BAD_MESSAGE`). */
export function parserOf<S extends v.GenericSchema>(schema: S): (received: Received) => v.InferOutput<S> {
  return (received) => {
    const result = v.safeParse(schema, received);
    if (result.success) return result.output;
    const [wrong] = schemaProblems(schema, received);
    throw new BadMessageError(received.type, wrong?.problem ?? 'it makes no sense');
  };
}
