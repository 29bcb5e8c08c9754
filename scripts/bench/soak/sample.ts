// What a process and its media take up in a quiet moment.

import { readdirSync } from 'node:fs';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Medium } from './medium.js';

/** Everything that must not grow. Bytes, or a count. */
export type Quantity = 'rss' | 'heap' | 'files' | 'resources' | Medium['name'];

export type Sample = Readonly<Record<Quantity, number>> & {
  /** Since the beginning. */
  readonly atMs: number;
};

/** Of the heap, at most. */
const mostLooks = 5;
const betweenLooksMs = 50;

/** Takes a sample after a garbage collection. */
export async function sample(atMs: number, media: readonly Medium[]): Promise<Sample> {
  const heap = await leastHeap();
  const { rss } = process.memoryUsage();
  const sizes = { SQLite: 0, Redis: 0 };
  for (const medium of media) sizes[medium.name] = await medium.bytes();
  return { atMs, rss, heap, files: openFiles(), resources: resources().length, ...sizes };
}

/** What keeps the event loop alive, by its names: sockets, timers, requests. */
export function resources(): string[] {
  return process.getActiveResourcesInfo();
}

/** How many file descriptors the process has open; 0 where the system does not say. */
export function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0; // not Linux
  }
}

/**
 * What the heap has after a collection. On a busy machine connections that were just broken are not closed or made again
 * yet, and keep a megabyte or two alive: then it is looked again, until it gets no less.
 */
async function leastHeap(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let looks = 0; looks < mostLooks; looks++) {
    if (looks > 0) await pause(betweenLooksMs);
    await collectGarbage();
    const { heapUsed } = process.memoryUsage();
    if (heapUsed > least * 0.99) return Math.min(least, heapUsed);
    least = heapUsed;
  }
  return least;
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What is given up by finalizers and weak references goes with the second one.
  for (let i = 0; i < 2; i++) {
    collect();
    await turn();
  }
}
