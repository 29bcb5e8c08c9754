// Four processes log into one file: the time until all of it is there.

import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Found } from '../shared/results.js';
import { ending } from './message.js';
import type { SenderProcess } from './sender-process.js';

export const senders = 4;
const lookEveryMs = 5;
/** A file that has not grown for so long is counted. */
const quietMs = 100;
/** A file that has not grown for so long gets nothing more. */
const givenUpMs = 5000;
const patienceMs = 120_000;

export interface Contest {
  readonly processes: readonly SenderProcess[];
  /** Of each process. */
  readonly records: number;
  /** Where they arrive. */
  readonly path: string;
  /** Processor time, in ms, of what is between the processes and the file. */
  readonly serverCpuMs: () => number;
  /** Whether records may be missing, as with a peer that drops them under load: then those that arrived count. */
  readonly mayLose?: boolean;
}

/**
 * From the order to log until the last byte is in the file and on the disk; the lines are counted after it.
 *
 * @returns `rate` in records a second, `server` and `sender` in µs of processor time a record, and how many were `lost`
 * @throws Error when a record is missing that must not be, or there twice
 */
export async function race({
  processes,
  records,
  path,
  serverCpuMs,
  mayLose = false,
}: Contest): Promise<Found> {
  const total = processes.length * records;
  const before = await countRecords(path);
  const used = () => processes.reduce((sum, process) => sum + process.usage().cpuMs, 0);
  const [serverBefore, senderBefore] = [serverCpuMs(), used()];
  const start = performance.now();
  for (const process of processes) process.tell(String(records));
  await Promise.all(processes.map((process) => process.says('done')));
  const loggedAt = performance.now();
  const grownAt = await whenComplete(path, before + total, mayLose);
  const lost = mayLose ? before + total - (await countRecords(path)) : 0;
  const server = ((serverCpuMs() - serverBefore) * 1000) / total;
  const sender = ((used() - senderBefore) * 1000) / total;
  const seconds = (Math.max(loggedAt, grownAt) - start + (await syncMs(path))) / 1000;
  return { rate: (total - lost) / seconds, server, sender, lost };
}

/** When the last byte came. @param mayLose whether a file that does not grow any more counts as complete */
export async function whenComplete(path: string, total: number, mayLose = false): Promise<number> {
  const deadline = performance.now() + patienceMs;
  let size = 0;
  let grownAt = performance.now();
  for (;;) {
    const now = performance.now();
    const found = await sizeOf(path);
    if (found !== size) [size, grownAt] = [found, now];
    else if (now - grownAt > quietMs) {
      const count = await countRecords(path);
      if (count === total || (mayLose && now - grownAt > givenUpMs)) return grownAt;
      if (count > total || now > deadline) throw new Error(`${count} of ${total} records are in ${path}`);
      await pause(quietMs);
    }
    await pause(lookEveryMs);
  }
}

/** How many records are in a file; none when there is no file. */
export async function countRecords(path: string): Promise<number> {
  let count = 0;
  if ((await sizeOf(path)) === 0) return count;
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
    const text = rest + (chunk as Buffer).toString('latin1');
    let end = 0;
    for (let at = text.indexOf(ending); at >= 0; at = text.indexOf(ending, end)) {
      count++;
      end = at + ending.length;
    }
    rest = text.slice(Math.max(end, text.length - ending.length + 1));
  }
  return count;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function syncMs(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const start = performance.now();
    await file.datasync();
    return performance.now() - start;
  } finally {
    await file.close();
  }
}
