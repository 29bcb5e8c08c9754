// The life of a sender process, seen from inside.

import { createInterface } from 'node:readline';

/**
 * Says that it is ready, does what it is told once for each line of standard input, and says `done` after each.
 * Returns when standard input ends.
 */
export async function obey(act: (line: string) => Promise<void>): Promise<void> {
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    await act(line);
    console.log('done');
  }
}
