// Finds the files of a log: lino.log and its rotated files, the oldest first.

import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { parseHead, recordInstant } from '../format/formats.js';
import { parseNote } from '../writer/ledger.js';
import { chunksOf, packingOf } from './chunks.js';

/** One file of a log. */
export interface LogPart {
  readonly path: string;
  /** On disk, in bytes. */
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** When it was last written, in ms since 1970. */
  readonly changedAt: number;
  /** The first line, uncompressed, at most 4096 bytes. It is unique in a log, and survives renaming. */
  readonly firstLine: string;
  /** When its first record was logged, in ms since 1970; undefined when it does not begin with one. */
  readonly beginsAt: number | undefined;
}

const firstLineBytes = 4096;

/**
 * Finds the log and its rotated files: `lino.log`, `lino.log.1`, `lino.log.2.gz`, `lino.log-20261124.gz`,
 * `lino-20261124.log`…
 *
 * @param path the log, which need not exist
 * @param timezone the site's, for times without an offset
 */
export async function findLogParts(path: string, timezone: string): Promise<LogPart[]> {
  const names = await readdir(dirname(path)).catch(absent([]));
  const own = partName(basename(path));
  const paths = names.filter((name) => own.test(name)).map((name) => join(dirname(path), name));
  return await readLogParts(paths, timezone);
}

/** The same for named files: the oldest first, each once. @throws the file system's error */
export async function readLogParts(paths: readonly string[], timezone: string): Promise<LogPart[]> {
  const parts = await Promise.all([...new Set(paths)].map((path) => partOf(path, timezone)));
  const known = parts.filter((part) => part !== undefined);
  return sortParts(known.filter((part) => !isBeingPacked(part, known)));
}

/** The number of a file that was rotated to `lino.log.1`, `lino.log.2.gz` …; undefined for another name. */
function rotationNumber(path: string): number | undefined {
  const [, number] = /\.(\d{1,5})(?:\.\w+)?$/.exec(basename(path)) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** Matches the names of a log's files. */
function partName(log: string): RegExp {
  const extension = extname(log);
  const stem = log.slice(0, log.length - extension.length);
  const rotated = '[.-]\\d[\\dTZ._-]*';
  const packed = '(?:\\.(?:gz|bz2|xz|zst))?';
  const [name, before, after] = [log, stem, extension].map(escapeForPattern);
  return new RegExp(`^(?:${name}(?:${rotated})?|${before}${rotated}${after})${packed}$`);
}

function escapeForPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Undefined for a file that was removed meanwhile, and for anything but a file. */
async function partOf(path: string, timezone: string): Promise<LogPart | undefined> {
  const status = await stat(path).catch(absent(undefined));
  if (status === undefined || !status.isFile()) return undefined;
  const file = await open(path, 'r').catch(absent(undefined));
  if (file === undefined) return undefined;
  const firstLine = await readFirstLine(file).finally(() => file.close());
  const head = parseHead(firstLine.text);
  return {
    path,
    bytes: status.size,
    isCompressed: firstLine.isCompressed,
    changedAt: status.mtimeMs,
    firstLine: firstLine.text,
    beginsAt: head && recordInstant(head, timezone),
  };
}

/**
 * Opens a file for reading; undefined if it was removed meanwhile, or its name is another file's.
 *
 * @param options `orPacked`: also the compressed file that another process has made of it
 */
export async function openPart(
  { path, firstLine }: LogPart,
  { orPacked = false } = {},
): Promise<FileHandle | undefined> {
  for (const name of orPacked ? [path, `${path}.gz`] : [path]) {
    const file = await open(name, 'r').catch(absent(undefined));
    if (file === undefined) continue;
    if ((await readFirstLine(file)).text === firstLine) return file;
    await file.close();
  }
  return undefined;
}

async function readFirstLine(file: FileHandle): Promise<{ text: string; isCompressed: boolean }> {
  const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0);
  const isCompressed = packingOf(buffer) !== 'plain';
  const bytes = isCompressed ? await unpackBegin(file) : await readBegin(file);
  return { text: firstLine(bytes) ?? bytes.toString('latin1'), isCompressed };
}

/** The first line of a plain file, as in {@link LogPart}; empty as long as it is unfinished. */
export async function firstLineOf(file: FileHandle): Promise<string> {
  const bytes = await readBegin(file);
  return firstLine(bytes) ?? (bytes.length < firstLineBytes ? '' : bytes.toString('latin1'));
}

/** The id by which the next file names this one. @param firstLine as in {@link LogPart}; empty gives empty */
export function fingerprintOf(firstLine: string): string {
  if (firstLine === '') return '';
  return createHash('sha256').update(firstLine, 'latin1').digest('base64url').slice(0, 22);
}

function firstLine(bytes: Buffer): string | undefined {
  const end = bytes.indexOf('\n');
  return end < 0 ? undefined : bytes.toString('latin1', 0, end);
}

async function readBegin(file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(firstLineBytes), 0, firstLineBytes, 0);
  return buffer.subarray(0, bytesRead);
}

/** Empty for a file that cannot be unpacked. Reading it reports why. */
async function unpackBegin(file: FileHandle): Promise<Buffer> {
  try {
    for await (const { bytes } of chunksOf(file)) return bytes.subarray(0, firstLineBytes);
  } catch {
    // Its reader reports it.
  }
  return Buffer.alloc(0);
}

/** A file exists twice while it is compressed. */
function isBeingPacked(part: LogPart, parts: readonly LogPart[]): boolean {
  const [plain] = part.path.split(/\.(?:gz|bz2|xz|zst)$/);
  return part.isCompressed && plain !== part.path && parts.some(({ path }) => path === plain);
}

/** Sorts by the numbers of the names, else by when the files begin; but each after its predecessor. */
function sortParts(parts: readonly LogPart[]): LogPart[] {
  const sorted = sortByName(parts);
  const byFingerprint = new Map(sorted.map((part) => [fingerprintOf(part.firstLine), part]));
  const met = new Set<LogPart>();
  const inOrder: LogPart[] = [];
  const add = (part: LogPart) => {
    // linod never writes files that name each other in a circle.
    if (met.has(part)) return;
    met.add(part);
    const before = byFingerprint.get(predecessorOf(part) ?? '');
    if (before !== undefined && before.firstLine !== '') add(before);
    inOrder.push(part);
  };
  for (const part of sorted) add(part);
  return inOrder;
}

/** The fingerprint of the file before, from a file's first note. */
export function predecessorOf({ firstLine }: LogPart): string | undefined {
  const note = parseNote(firstLine);
  return note !== undefined && 'file' in note ? note.after : undefined;
}

function sortByName(parts: readonly LogPart[]): LogPart[] {
  const rotated = parts.filter(({ path }) => rotationNumber(path) !== undefined);
  const isNumbered = rotated.length >= parts.length - 1;
  const order = (part: LogPart) =>
    isNumbered ? -(rotationNumber(part.path) ?? 0) : (part.beginsAt ?? part.changedAt);
  return [...parts].sort(
    (a, b) => order(a) - order(b) || a.changedAt - b.changedAt || (a.path < b.path ? -1 : 1),
  );
}

/** Replaces a missing file or directory by a default. */
export function absent<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return instead;
    throw error;
  };
}
