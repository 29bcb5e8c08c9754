// The file of a backup: a compressed tar. Its checksum shows damage; the first entry says whose backup it is.

import { chmod, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tar from 'tar';
import * as v from 'valibot';
import { BadBackupError } from './errors.js';

const headName = 'backup.json';

const schema = v.object({
  /** Of the form of the backup. */
  format: v.literal(1),
  /** The version of linod that wrote it. */
  linod: v.string(),
  site: v.string(),
  createdAt: v.string(),
  /** Files of the site that are not in the backup: its configuration and its procedures. */
  configuration: v.array(v.string()),
});

/** What a backup says about itself. */
export type BackupHead = v.InferOutput<typeof schema>;

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
  about: Omit<BackupHead, 'format'>,
): Promise<void> {
  const names = await readdir(directory);
  await writeFile(join(directory, headName), JSON.stringify({ format: 1, ...about }, null, 2));
  await tar.create({ file: work, cwd: directory, gzip: { level: 3 }, portable: true }, [headName, ...names]);
  // It has what the database has, such as sessions of the console.
  await chmod(work, 0o600);
  const handle = await open(work, 'r');
  await handle.sync().finally(() => handle.close());
  await rename(work, file);
}

/**
 * Unpacks a whole backup into a new directory.
 *
 * @throws BadBackupError (`LINOD_ERR_BAD_BACKUP`), or the file system's error
 */
export async function unpack(file: string, directory: string): Promise<BackupHead> {
  const handle = await open(file, 'r').catch((error: Error) => {
    throw new BadBackupError(file, `it cannot be read: ${error.message}`, { cause: error });
  });
  await handle.close();
  await mkdir(directory);
  try {
    const isFile = (_: string, entry: object) => 'type' in entry && /^(Old)?File$/.test(String(entry.type));
    await tar.extract({ file, cwd: directory, strict: true, filter: isFile });
    return v.parse(schema, JSON.parse(await readFile(join(directory, headName), 'utf8')));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadBackupError(file, `it is damaged or no backup: ${why}`, { cause: error });
  }
}
