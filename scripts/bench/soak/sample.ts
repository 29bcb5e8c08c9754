// What a process and its media take up in a quiet moment.

import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Medium } from './medium.js';

/** Everything that must not grow. Bytes, or a count. */
export type Quantity = 'rss' | 'heap' | 'files' | 'resources' | Medium['name'];

export type Sample = Readonly<Record<Quantity, number>> & {
  /** Since the beginning. */
  readonly atMs: number;
};

/** Takes a sample after a garbage collection. */
export async function sample(atMs: number, media: readonly Medium[]): Promise<Sample> {
  await collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const sizes = { SQLite: 0, Redis: 0 };
  for (const medium of media) sizes[medium.name] = await medium.bytes();
  return { atMs, rss, heap: heapUsed, files: openFiles(), resources: resources().length, ...sizes };
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

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What is given up by finalizers and weak references goes with the second one.
  for (let i = 0; i < 2; i++) {
    collect();
    await turn();
  }
}
