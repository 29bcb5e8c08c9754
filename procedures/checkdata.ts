// Checks the application's data with the checkers that it registered.

import * as v from 'valibot';
import { scheduleDaily } from '../src/index.js';
import { checkData } from './checks/check-data.js';
import { argumentsOf } from './registry.js';

const argumentsSchema = v.strictObject({
  checkers: v.nullish(v.array(v.string()), null),
  fix: v.optional(v.boolean(), true),
});

// In a thread: what takes long here delays no other rule.
// The bundler would call a function of the same name checkdata2.
export const checkdata = scheduleDaily(
  { name: 'checkdata', onFailure: 'continue', runIn: 'thread' },
  async (ar) => {
    await checkData(ar, argumentsOf(ar, argumentsSchema));
  },
);
