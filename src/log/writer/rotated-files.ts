// The rotated files of a log: named, compressed, and removed when they are too many or too old.

import { createReadStream } from 'node:fs';
import { access, open, readdir, rename, stat, unlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { RotationPolicy } from '../rotation.js';

const dayMs = 86_400_000;
const compressed = '.gz';
/** What is being compressed. One that is found at start was not finished, and is made anew. */
const unfinished = '.gz.tmp';
/** `lino.log-20261124T180001.123Z`, in UTC so that names sort by time; `-1` and so on if that name is taken. */
const stamp = /^-(\d{8}T\d{6}\.\d{3}Z)(?:-(\d+))?(\.gz)?$/;

/** A rotated file of linod's own making; what others rotated is left to them. */
export interface RotatedFile {
  readonly path: string;
  /** When it was rotated, in ms; not before any file that was rotated earlier. */
  readonly at: number;
  /** Tells files of the same moment apart: 0, 1 and so on. */
  readonly again: number;
  readonly isCompressed: boolean;
}

/**
 * The path that a log file gets when it is rotated: none that is taken, and one that sorts behind those of all rotated files
 * there are, also after the clock was set back.
 */
export async function rotatedPath(path: string, now: number): Promise<string> {
  const last = (await rotatedFiles(path)).at(-1);
  const isLater = last === undefined || now > last.at;
  const at = new Date(isLater ? now : last.at).toISOString().replace(/[-:]/g, '');
  return isLater ? `${path}-${at}` : `${path}-${at}-${last.again + 1}`;
}

/** The rotated files of the log at a path, the oldest first. */
export async function rotatedFiles(path: string): Promise<RotatedFile[]> {
  const names = await readdir(dirname(path));
  const found = names.flatMap((name) => {
    const rest = name.startsWith(basename(path)) ? stamp.exec(name.slice(basename(path).length)) : null;
    if (rest === null) return [];
    const [, at = '', again = '0', gz] = rest;
    const isCompressed = gz !== undefined;
    return [{ path: join(dirname(path), name), at: instantOf(at), again: Number(again), isCompressed }];
  });
  return found.sort((a, b) => a.at - b.at || a.again - b.again);
}

/**
 * Finishes what rotations have begun: compresses, then removes what is not to be kept. May be interrupted at any point and
 * called again; a file is removed only after its compressed form is complete and on disk.
 */
export async function tidyRotated(
  path: string,
  policy: RotationPolicy,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  await removeUnfinished(path);
  const files = await rotatedFiles(path);
  const isKept = ({ at }: RotatedFile, age: number) =>
    (policy.keepFiles === 0 || age < policy.keepFiles) &&
    (policy.keepDays === 0 || now - at <= policy.keepDays * dayMs);
  // A file and its compressed form are one that a crash has kept from being removed.
  const ages = new Map([...new Set(files.map(plainPath))].reverse().map((plain, age) => [plain, age]));
  for (const file of files) {
    if (signal.aborted) return;
    if (!isKept(file, ages.get(plainPath(file)) ?? 0)) await unlink(file.path);
    else if (policy.compress && !file.isCompressed) await compress(file.path, signal);
  }
}

function plainPath({ path }: RotatedFile): string {
  return path.endsWith(compressed) ? path.slice(0, -compressed.length) : path;
}

async function removeUnfinished(path: string): Promise<void> {
  const names = await readdir(dirname(path));
  const left = names.filter((name) => name.startsWith(`${basename(path)}-`) && name.endsWith(unfinished));
  for (const name of left) await unlink(join(dirname(path), name));
}

/** Runs in the thread pool of Node, chunk by chunk, so that the writer is not kept waiting. */
async function compress(path: string, signal: AbortSignal): Promise<void> {
  const done = path + compressed;
  if (!(await exists(done))) {
    const temporary = path + unfinished;
    const { mode, atime, mtime } = await stat(path);
    // Opened before: a stream that is given up while it opens makes its file all the same, some time later.
    const output = await open(temporary, 'w', mode);
    await pipeline(createReadStream(path), createGzip(), output.createWriteStream(), { signal });
    await utimes(temporary, atime, mtime);
    await syncFile(temporary);
    await rename(temporary, done);
    await syncFile(dirname(path));
  }
  await unlink(path);
}

/** Waits until the disk has a file or, for a directory, the names in it. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Reads `20261124T180001.123Z`. */
function instantOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:'));
}
