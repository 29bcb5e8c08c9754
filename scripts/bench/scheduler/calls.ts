// What the workers that are measured note down of every call of their procedure, and write to a file when they end.

import { readFile } from 'node:fs/promises';

/** One call. Times in milliseconds. */
export interface Call {
  /** The job's number in linod; in BullMQ the time for which it was due, or that its sender stamped. */
  readonly of: number;
  /** By the wall clock, since 1970. */
  readonly wall: number;
  /** By the monotonic clock, which is one for all processes of a machine. */
  readonly steady: number;
}

/** In the environment of a worker: where it writes its calls. */
export const callsVariable = 'BENCH_CALLS';

/** The monotonic clock (CLOCK_MONOTONIC), in milliseconds. */
export function steadyNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Reads what a worker wrote: three numbers a call. */
export async function readCalls(path: string): Promise<Call[]> {
  const numbers = JSON.parse(await readFile(path, 'utf8')) as readonly number[];
  const calls: Call[] = [];
  for (let i = 0; i + 2 < numbers.length; i += 3) {
    calls.push({
      of: numbers[i] ?? Number.NaN,
      wall: numbers[i + 1] ?? Number.NaN,
      steady: numbers[i + 2] ?? Number.NaN,
    });
  }
  return calls;
}
