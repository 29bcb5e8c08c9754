// The file of a backup: a compressed tar with a list of its files and their checksums.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as tar from 'tar';
import * as v from 'valibot';
import { BadBackupError } from './errors.js';

const listName = 'backup.json';

const schema = v.object({
  /** Of the form of the backup. */
  format: v.literal(1),
  /** The version of linod that wrote it. */
  linod: v.string(),
  site: v.string(),
  createdAt: v.string(),
  /** Files of the site that are not in the backup: its configuration and its procedures. */
  configuration: v.array(v.string()),
  files: v.array(v.object({ path: v.string(), bytes: v.number(), sha256: v.string() })),
});

/** What a backup says about itself. */
export type BackupList = v.InferOutput<typeof schema>;

/**
 * Packs a directory. The file appears under its name when it is complete and on the disk.
 *
 * @param directory with the files of the backup
 * @param work an unfinished archive is written here; on the same file system as `file`
 */
export async function pack(
  directory: string,
  file: string,
  work: string,
  about: Omit<BackupList, 'format' | 'files'>,
): Promise<BackupList> {
  const names = await filesIn(directory);
  const files = await Promise.all(
    names.map(async (path) => ({ path, ...(await measure(join(directory, path))) })),
  );
  const list: BackupList = { format: 1, ...about, files };
  await writeFile(join(directory, listName), JSON.stringify(list, null, 2));
  await tar.create({ file: work, cwd: directory, gzip: { level: 3 }, portable: true }, [listName, ...names]);
  // It has what the database has, such as sessions of the console.
  await chmod(work, 0o600);
  const handle = await open(work, 'r');
  await handle.sync().finally(() => handle.close());
  await rename(work, file);
  return list;
}

/**
 * Unpacks a backup into a new directory and checks every file.
 *
 * @throws BadBackupError (`LINOD_ERR_BAD_BACKUP`), or the file system's error
 */
export async function unpack(file: string, directory: string): Promise<BackupList> {
  await (await open(file, 'r')).close();
  await mkdir(directory, { recursive: true });
  try {
    const isFile = (_: string, entry: object) => 'type' in entry && /^(Old)?File$/.test(String(entry.type));
    await tar.extract({ file, cwd: directory, strict: true, filter: isFile });
  } catch (error) {
    throw new BadBackupError(file, `it is damaged or no backup: ${messageOf(error)}`, { cause: error });
  }
  const list = await readList(file, directory);
  const found = new Set(await filesIn(directory));
  for (const { path, bytes, sha256 } of list.files) {
    if (!found.has(path)) throw new BadBackupError(file, `${path} is missing`);
    const measured = await measure(join(directory, path));
    if (measured.bytes !== bytes || measured.sha256 !== sha256)
      throw new BadBackupError(file, `${path} is damaged: its checksum is another`);
  }
  return list;
}

async function readList(file: string, directory: string): Promise<BackupList> {
  try {
    return v.parse(schema, JSON.parse(await readFile(join(directory, listName), 'utf8')));
  } catch (error) {
    throw new BadBackupError(file, `its list ${listName} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths
    .map((path) => relative(directory, path))
    .filter((path) => path !== listName)
    .sort();
}

async function measure(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
