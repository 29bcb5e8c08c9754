// What a quantity may grow by in an hour, as measured over minutes: twenty of them tell a leak of a few bytes a message
// from the noise of a heap, and more than these bounds would matter to a process that runs for a month.
//
// Redis and the file also hold what the X-ray keeps of each layer object for ten minutes, so that a run of less than
// twenty, or one whose laps come quicker at last than at first, says nothing about them. The file and its log do not shrink: their size is the most that they needed so far,
// which rises ever more seldom.

import type { Quantity } from './sample.js';

const mebibyte = 1024 ** 2;

export interface Bound {
  readonly quantity: Quantity;
  readonly name: string;
  readonly perHour: number;
  /** In which it is shown. */
  readonly unit: { readonly name: string; readonly size: number };
}

const mebibytes = { name: 'MiB', size: mebibyte };
const count = { name: '', size: 1 };

export const bounds: readonly Bound[] = [
  { quantity: 'heap', name: 'heap after a collection', perHour: 4 * mebibyte, unit: mebibytes },
  { quantity: 'rss', name: 'resident memory', perHour: 24 * mebibyte, unit: mebibytes },
  { quantity: 'files', name: 'file descriptors', perHour: 1, unit: count },
  { quantity: 'resources', name: 'active resources', perHour: 1, unit: count },
  { quantity: 'Redis', name: 'memory of Redis', perHour: 4 * mebibyte, unit: mebibytes },
  { quantity: 'SQLite', name: 'file of SQLite', perHour: 8 * mebibyte, unit: mebibytes },
];
