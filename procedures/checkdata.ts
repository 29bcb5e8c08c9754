// Checks the application's data with the checkers that it registered.

import { scheduleDaily } from '../src/index.js';
import { booleanArgument, namedArguments, namesArgument } from './arguments.js';
import { checkData } from './checks/check-data.js';

// In a thread: what takes long here delays no other rule.
export const checkdata = scheduleDaily(
  { onFailure: 'continue', runIn: 'thread' },
  async function checkdata(ar) {
    const args = namedArguments(ar, ['checkers', 'fix']);
    await checkData(ar, {
      checkers: namesArgument('checkers', args.checkers),
      fix: booleanArgument('fix', args.fix, true),
    });
  },
);
