// The files of a log that were renamed while no writer ran, in the order in which they were written.

import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseNote } from './ledger.js';
import { LogFile } from './log-file.js';

/** A file that was once the log: where it is now, and what tells it from others. */
export interface RenamedFile {
  readonly path: string;
  readonly fingerprint: string;
  /** The fingerprint of the file before it; undefined for the first, and for one that does not say so. */
  readonly after: string | undefined;
}

/**
 * The file with a fingerprint and those that followed it, one after the other, as far as they lie beside the log and are not
 * compressed. The log itself is not among them.
 */
export async function renamedSince(path: string, fingerprint: string): Promise<RenamedFile[]> {
  const files = await renamedFiles(path);
  const known = files.find((file) => file.fingerprint === fingerprint);
  const chain = known === undefined ? [] : [known];
  for (let last = fingerprint; ; ) {
    const next = files.find((file) => file.after === last && !chain.includes(file));
    if (next === undefined) return chain;
    chain.push(next);
    last = next.fingerprint;
  }
}

async function renamedFiles(path: string): Promise<RenamedFile[]> {
  const names = await readdir(dirname(path));
  const others = names.filter((name) => name.startsWith(basename(path)) && name !== basename(path));
  const files: RenamedFile[] = [];
  for (const name of others.filter((name) => !/\.(gz|tmp)$/.test(name))) {
    const file = await LogFile.openExisting(join(dirname(path), name)).catch(notOurs);
    if (file === undefined) continue;
    try {
      const note = parseNote(await file.firstLine());
      const after = note !== undefined && 'file' in note ? note.after : undefined;
      files.push({ path: file.path, fingerprint: await file.fingerprint(), after });
    } finally {
      await file.close();
    }
  }
  return files;
}

/** A directory or what another user has put there was not written here, and shall keep nobody from writing. */
function notOurs(error: unknown): undefined {
  const isOurs = !(error instanceof Error && 'code' in error && foreignCodes.has(String(error.code)));
  if (isOurs) throw error;
}

/** ENOENT: it has gone meanwhile. */
const foreignCodes = new Set(['EISDIR', 'EACCES', 'EPERM', 'ENXIO', 'ENOENT']);
