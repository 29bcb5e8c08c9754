// Finds the problems of a site for which `linod status` exits with 3.

import { statfsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { beatMs } from '../../channels/waiting/beat.js';
import { durationText } from '../base/duration.js';
import { printable } from '../log/format/unsafe.js';
import { parseHealth } from '../membership/worker-health.js';
import type { Site } from '../site/site.js';
import type { WorkerRow } from '../store/schema.js';
import { deafTexts, staleMs, suspendedText } from './listener-text.js';

/** Something that an operator has to repair. */
export interface Problem {
  readonly code:
    | 'no-worker'
    | 'not-started'
    | 'suspended'
    | 'silent'
    | 'deaf'
    | 'log-not-written'
    | 'disk-full';
  /** The worker, or the machine and directory; empty for the site. */
  readonly subject: string;
  /** A sentence that says what is wrong and, where possible, what to do. */
  readonly text: string;
}

export interface SiteState {
  readonly site: Site;
  /** The running workers. */
  readonly workers: readonly WorkerRow[];
  /** The coroutines that were ordered. */
  readonly ordered: readonly string[];
  /** In ms since 1970. */
  readonly now: number;
}

/** All problems, the most serious first. */
export function siteProblems(state: SiteState): Problem[] {
  const { site, workers, ordered, now } = state;
  const disks = diskProblems(site);
  if (workers.length === 0)
    return [
      { code: 'no-worker', subject: '', text: `no worker is running: runworker ${site.channel}` },
      ...disks,
    ];
  const missing = ordered.includes('run.system.tasks')
    ? []
    : [
        {
          code: 'not-started',
          subject: '',
          text: 'the task coroutine was never started: initiate_linod',
        } as const,
      ];
  return [
    ...missing,
    ...workers.flatMap((worker) => workerProblems(worker, now)),
    ...logProblems(state),
    ...disks,
  ];
}

function workerProblems(worker: WorkerRow, now: number): Problem[] {
  const { id, heartbeat_at: heardAt } = worker;
  const suspended = suspendedText(worker);
  if (suspended !== null) return [{ code: 'suspended', subject: id, text: suspended }];
  const silentMs = now - heardAt;
  if (silentMs > staleMs)
    return [
      {
        code: 'silent',
        subject: id,
        text: `worker ${id} sent no heartbeat for ${durationText(silentMs)}: it hangs, or cannot reach the database`,
      },
    ];
  return deafTexts(worker, now).map((text) => ({
    code: 'deaf',
    subject: id,
    text: `worker ${id} does not hear: ${text}`,
  }));
}

function logProblems({ workers, ordered, now }: SiteState): Problem[] {
  const code = 'log-not-written';
  if (!ordered.includes('log.server'))
    return [
      {
        code,
        subject: '',
        text: 'lino.log is not written, records are kept: the logger coroutine was never started: initiate_linod',
      },
    ];
  const healths = workers.map(({ health }) => parseHealth(health));
  const troubles = healths.flatMap((health) => health?.loggerTrouble ?? []);
  if (troubles.length > 0)
    return troubles.map((trouble) => ({ code, subject: '', text: printable(trouble) }));
  // A worker that has just started may write already and not have reported it.
  const isUnknown = healths.includes(null) || workers.some((worker) => now - worker.started_at < 2 * beatMs);
  if (isUnknown || healths.some((health) => health?.logger === 'writing')) return [];
  return [{ code, subject: '', text: 'no worker writes lino.log, records are kept' }];
}

/** With less space SQLite cannot grow its write-ahead log, and the log writer soon fails. */
const leastFreeBytes = 16 * 1024 ** 2;

function diskProblems(site: Site): Problem[] {
  return freeDisks(site).flatMap(({ directory, subject, free }) => {
    if (free >= leastFreeBytes) return [];
    const freeText = `${Math.floor(free / 1024 ** 2)} MiB are free, and ${leastFreeBytes / 1024 ** 2} are needed`;
    const text = `the disk of ${directory} is full: ${freeText}`;
    return [{ code: 'disk-full' as const, subject, text }];
  });
}

/** A directory of the site on this machine. */
export interface FreeDisk {
  readonly directory: string;
  /** The machine and the directory. */
  readonly subject: string;
  /** In bytes. */
  readonly free: number;
}

/** The directories that the site writes to. */
export function freeDisks({ logDirectory, settings }: Site): FreeDisk[] {
  const { databaseUrl, channelLayer } = settings;
  const files = [databaseUrl, channelLayer].flat().filter((url) => url.startsWith('sqlite:'));
  const directories = new Set([logDirectory, ...files.map((url) => dirname(url.slice('sqlite:'.length)))]);
  return [...directories].flatMap((directory) => {
    const free = freeBytes(directory);
    return free === undefined ? [] : [{ directory, subject: `${hostname()} ${directory}`, free }];
  });
}

function freeBytes(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined; // the directory does not exist yet
  }
}
