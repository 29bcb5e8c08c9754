// Computes the application's summaries again where their data changed.

import { scheduleDaily } from '../src/index.js';
import { booleanArgument, namedArguments, namesArgument } from './arguments.js';
import { checkSummaries } from './summaries/check-summaries.js';

// In a thread: what takes long here delays no other rule.
export const checksummaries = scheduleDaily(
  { onFailure: 'continue', runIn: 'thread' },
  async function checksummaries(ar) {
    const args = namedArguments(ar, ['summaries', 'all']);
    await checkSummaries(ar, {
      summaries: namesArgument('summaries', args.summaries),
      all: booleanArgument('all', args.all, false),
    });
  },
);
