// Copies the log with the records that wait for it, while they are being written.
//
// The order matters. A record goes from a spool file to the log, and then the spool file is removed. So spool
// files come first: the copy has each record at least once. Their records that are in the log, too, are cut
// off by the writer, as after a crash.

import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, readdir, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LinodError } from '../base/errors.js';
import { ownProcess } from '../base/process-owner.js';
import {
  absent,
  findLogParts,
  fingerprintOf,
  firstLineOf,
  type LogPart,
  openPart,
  predecessorOf,
} from '../log/read/files.js';
import { formatSpoolHeader, readSpoolHeader } from '../log/sender/spool-file.js';
import { checkpointPath } from '../log/writer/checkpoint.js';
import type { Site } from '../site/site.js';

/** How often at most the rotated files are listed. */
const maxPasses = 50;

/** Copies into `log/` and `spool/` below a directory. @returns how many files each got */
export async function copyLog(site: Site, to: string): Promise<{ log: number; spool: number }> {
  const [log, spool] = [join(to, 'log'), join(to, 'spool')];
  await Promise.all([mkdir(log), mkdir(spool)]);
  const spools = await spoolFiles(site);
  for (const name of spools) await copyIfThere(join(site.spoolDirectory, name), join(spool, name));
  // Before the log: the log must reach as far as the checkpoint says.
  const checkpoint = checkpointPath(site.logFile);
  await copyIfThere(checkpoint, join(log, basename(checkpoint)));
  return { log: await copyParts(site, log), spool: spools.length };
}

/** The names of the spool files of a site. */
export async function spoolFiles(site: Site): Promise<string[]> {
  const names = await readdir(site.spoolDirectory).catch(absent([]));
  return names.filter((name) => name.endsWith('.spool'));
}

/** Copies a spool file as one of this process. When that has ended, a worker sends its records. */
export async function adoptSpool(from: string, to: string): Promise<void> {
  const header = readSpoolHeader(from);
  const skipped = Buffer.byteLength(formatSpoolHeader(header));
  const target = createWriteStream(to, { flags: 'wx' });
  target.write(formatSpoolHeader({ ...header, owner: ownProcess() }));
  await pipeline(createReadStream(from, { start: skipped }), target);
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch(absent(undefined));
}

/**
 * Copies the log as far as `lino.log` goes that is there now, even if it is rotated meanwhile. Files that are
 * compressed or renamed meanwhile are found in the next pass.
 */
async function copyParts(site: Site, to: string): Promise<number> {
  const current = await open(site.logFile, 'r').catch(absent(undefined));
  try {
    const copied = new Set<string>();
    for (let pass = 0; pass < maxPasses; pass++) {
      let isComplete = true;
      const newest = current === undefined ? '' : fingerprintOf(await firstLineOf(current));
      for (const part of await olderParts(site, newest)) {
        const id = fingerprintOf(part.firstLine);
        if (copied.has(id)) continue;
        isComplete = false;
        if (await copyPart(part, join(to, basename(part.path)))) copied.add(id);
      }
      if (!isComplete) continue;
      // One that was empty at first may have been filled, rotated and copied since.
      if (current === undefined || copied.has(newest)) return copied.size;
      await copyOpen(current, join(to, basename(site.logFile)));
      return copied.size + 1;
    }
  } finally {
    await current?.close();
  }
  throw new LinodError(
    'LINOD_ERR_LOG_ROTATES',
    `the log is rotated all the time: ${site.logFile}; try again`,
  );
}

/** The files of the log before the one with this fingerprint; it and those that follow it are left out. */
async function olderParts(site: Site, newest: string): Promise<LogPart[]> {
  const parts = await findLogParts(site.logFile, site.settings.timezone);
  const later = new Set(newest === '' ? [] : [newest]);
  return parts.filter((part) => {
    const id = fingerprintOf(part.firstLine);
    const isLater = part.path === site.logFile || later.has(id) || later.has(predecessorOf(part) ?? '');
    if (isLater) later.add(id);
    return !isLater;
  });
}

/** @returns whether the file was still there */
async function copyPart(part: LogPart, to: string): Promise<boolean> {
  const file = await openPart(part);
  if (file === undefined) return false;
  await copyOpen(file, to).finally(() => file.close());
  await utimes(to, part.changedAt / 1000, part.changedAt / 1000);
  return true;
}

/** Copies no more than the file has now: it may grow faster than it is copied. */
async function copyOpen(file: FileHandle, to: string): Promise<void> {
  const { size } = await file.stat();
  const read = file.createReadStream({ start: 0, end: Math.max(0, size - 1), autoClose: false });
  await pipeline(size === 0 ? [] : read, createWriteStream(to, { flags: 'wx' }));
}
