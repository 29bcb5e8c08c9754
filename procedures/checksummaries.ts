// Computes the application's summaries again where their data changed.

import * as v from 'valibot';
import { scheduleDaily } from '../src/index.js';
import { argumentsOf } from './registry.js';
import { checkSummaries } from './summaries/check-summaries.js';

const argumentsSchema = v.strictObject({
  summaries: v.nullish(v.array(v.string()), null),
  all: v.optional(v.boolean(), false),
});

// In a thread: what takes long here delays no other rule.
// The bundler would call a function of the same name checksummaries2.
export const checksummaries = scheduleDaily(
  { name: 'checksummaries', onFailure: 'continue', runIn: 'thread' },
  async (ar) => {
    await checkSummaries(ar, argumentsOf(ar, argumentsSchema));
  },
);
