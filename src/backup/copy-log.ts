// Copies the log with the records that wait for it, while they are being written.
//
// The order matters. A record goes from a spool file to the log, and then the spool file is removed. So spool
// files come first: the copy has each record at least once. Their records that are in the log, too, are cut
// off by the writer, as after a crash.

import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, type open, readdir, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LinodError } from '../base/errors.js';
import { ownProcess } from '../base/process-owner.js';
import { absent, findLogParts, type LogPart, openPart } from '../log/read/files.js';
import { formatSpoolHeader, readSpoolHeader } from '../log/sender/spool-file.js';
import { checkpointPath } from '../log/writer/checkpoint.js';
import type { Site } from '../site/site.js';

/** How often at most the log may be rotated while its files are opened. */
const maxTries = 20;

/** Copies into `log/` and `spool/` below a directory. @returns how many files each got */
export async function copyLog(site: Site, to: string): Promise<{ log: number; spool: number }> {
  const [log, spool] = [join(to, 'log'), join(to, 'spool')];
  await Promise.all([mkdir(log), mkdir(spool)]);
  const spools = await spoolFiles(site);
  for (const name of spools) await copyIfThere(join(site.spoolDirectory, name), join(spool, name));
  // Before the log: the log must reach as far as the checkpoint says.
  const checkpoint = checkpointPath(site.logFile);
  await copyIfThere(checkpoint, join(log, basename(checkpoint)));
  const parts = await openParts(site);
  try {
    for (const { part, file } of parts) {
      // Not further than it is long now: it may grow faster than it is copied.
      const { size } = await file.stat();
      const copy = join(log, basename(part.path));
      const read = file.createReadStream({ start: 0, end: Math.max(0, size - 1), autoClose: false });
      await pipeline(size === 0 ? [] : read, createWriteStream(copy));
      await utimes(copy, part.changedAt / 1000, part.changedAt / 1000);
    }
  } finally {
    for (const { file } of parts) await file.close();
  }
  return { log: parts.length, spool: spools.length };
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

interface OpenPart {
  readonly part: LogPart;
  readonly file: Awaited<ReturnType<typeof open>>;
}

/** Opens all files of the log at one moment: none of them was renamed between listing and opening. */
async function openParts(site: Site): Promise<OpenPart[]> {
  for (let tries = 0; tries < maxTries; tries++) {
    const parts = await findLogParts(site.logFile, site.settings.timezone);
    const opened = await Promise.all(parts.map(async (part) => ({ part, file: await openPart(part) })));
    const whole = opened.flatMap(({ part, file }) => (file === undefined ? [] : [{ part, file }]));
    if (whole.length === parts.length) return whole;
    for (const { file } of whole) await file.close();
  }
  throw new LinodError(
    'LINOD_ERR_LOG_ROTATES',
    `the log is rotated all the time: ${site.logFile}; try again`,
  );
}
