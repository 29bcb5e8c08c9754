// Checks the application's data with its registered checkers.

import * as v from 'valibot';
import { scheduleDaily } from '../src/index.js';
import { checkData } from './checks/check-data.js';
import { argumentsOf } from './shared/registry.js';

const argumentsSchema = v.strictObject({
  checkers: v.nullish(v.array(v.string()), null),
  fix: v.optional(v.boolean(), true),
});

// Runs in a thread, so that long checks delay no other rule. The function has no name: the bundler would
// rename it to checkdata2.
export const checkdata = scheduleDaily(
  { name: 'checkdata', onFailure: 'continue', runIn: 'thread' },
  async (ar) => {
    await checkData(ar, argumentsOf(ar, argumentsSchema));
  },
);
