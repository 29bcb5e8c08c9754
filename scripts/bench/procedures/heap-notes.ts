// What of a worker's heap is in use: the resident memory also tells how much room the garbage collector gives itself.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const file = 'heap-notes.txt';

/** Code for a site's file of procedures: `noteHeap(n)` is called with 1, 2, 3… and notes down the heap at some of these. */
export function heapNoting(at: readonly number[]): string {
  return `
import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const heapAt = new Set(${JSON.stringify(at)});
const noteHeap = (n) => {
  if (!heapAt.has(n)) return;
  collect();
  appendFileSync('${file}', process.memoryUsage().heapUsed + '\\n');
};
`;
}

/** What was noted down, in bytes. */
export async function readHeapNotes(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, file), 'utf8');
  return text.trimEnd().split('\n').map(Number);
}
