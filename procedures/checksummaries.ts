// Recomputes the application's summaries whose data changed.

import * as v from 'valibot';
import { scheduleDaily } from '../src/index.js';
import { argumentsOf } from './shared/registry.js';
import { checkSummaries } from './summaries/check-summaries.js';

const argumentsSchema = v.strictObject({
  summaries: v.nullish(v.array(v.string()), null),
  all: v.optional(v.boolean(), false),
});

// Runs in a thread, so that long computations delay no other rule. The function has no name: the bundler
// would rename it to checksummaries2.
export const checksummaries = scheduleDaily(
  { name: 'checksummaries', onFailure: 'continue', runIn: 'thread' },
  async (ar) => {
    await checkSummaries(ar, argumentsOf(ar, argumentsSchema));
  },
);
