// On what it was measured.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';

/** Debian's, for which the packages of the peers are installed. */
export const python = '/usr/bin/python3';

/** One-minute load average. */
export function load(): number {
  return loadavg()[0] ?? Number.NaN;
}

export function processors(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
}

/** The installed client library, which all contestants on Node use. */
export const ioredisVersion = (
  JSON.parse(readFileSync(createRequire(import.meta.url).resolve('ioredis/package.json'), 'utf8')) as {
    version: string;
  }
).version;

/** The versions on Node's side. */
export function nodeVersions(redis: string): string {
  return `Redis ${redis}, Node.js ${process.version}, ioredis ${ioredisVersion}`;
}
