// Copies the log with the records that wait for it, while they are being written.
//
// The order matters. A record goes from a spool file to the log, and then the spool file is removed. So spool
// files come first: the copy has each record at least once. Their records that are in the log, too, are cut
// off by the writer, as after a crash.

import { createWriteStream } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  utimes,
  writeFile,
} from 'node:fs/promises';
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
import { BadSpoolError, formatSpoolHeader, readSpoolHeader } from '../log/sender/spool-file.js';
import { checkpointPath } from '../log/writer/checkpoint.js';
import type { Site } from '../site/site.js';

/** How often at most the rotated files are listed. */
const maxPasses = 50;

/** Copies into `log/` and `spool/` below a directory. @returns how many files each got */
export async function copyLog(site: Site, to: string): Promise<{ logFiles: number; spoolFiles: number }> {
  const [log, spool] = [join(to, 'log'), join(to, 'spool')];
  await Promise.all([mkdir(log), mkdir(spool)]);
  for (const path of await spoolFiles(site)) await copyIfThere(path, spool);
  // Before the log: the log must reach as far as the checkpoint says.
  await copyIfThere(checkpointPath(site.logFile), log);
  const logFiles = await copyParts(site, log);
  return { logFiles, spoolFiles: (await readdir(spool)).length };
}

/** The spool files of a site. */
export async function spoolFiles({ spoolDirectory }: Site): Promise<string[]> {
  const names = await readdir(spoolDirectory).catch(absent([]));
  return names.filter((name) => name.endsWith('.spool')).map((name) => join(spoolDirectory, name));
}

/**
 * Copies a spool file as one of this process. When that has ended, a worker sends its records. A file without a
 * readable header, such as one that was just begun, is copied as it is.
 */
export async function adoptSpool(from: string, to: string): Promise<void> {
  try {
    const header = readSpoolHeader(from);
    const records = (await readFile(from)).subarray(Buffer.byteLength(formatSpoolHeader(header)));
    const own = Buffer.from(formatSpoolHeader({ ...header, owner: ownProcess() }));
    await writeFile(to, Buffer.concat([own, records]), { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof BadSpoolError)) throw error;
    await copyFile(from, to);
  }
}

async function copyIfThere(path: string, directory: string): Promise<void> {
  await copyFile(path, join(directory, basename(path))).catch(absent(undefined));
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

/** Copies no more than the file has now, with its rights: it may grow faster than it is copied. */
async function copyOpen(file: FileHandle, to: string): Promise<void> {
  const { size, mode } = await file.stat();
  const read = file.createReadStream({ start: 0, end: Math.max(0, size - 1), autoClose: false });
  await pipeline(size === 0 ? [] : read, createWriteStream(to, { flags: 'wx', mode: mode & 0o777 }));
}
