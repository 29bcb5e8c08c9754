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
export const checksummaries = scheduleDaily(
  { onFailure: 'continue', runIn: 'thread' },
  async function checksummaries(ar) {
    await checkSummaries(ar, argumentsOf(ar, argumentsSchema));
  },
);
