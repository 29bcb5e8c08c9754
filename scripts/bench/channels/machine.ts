// On what it was measured.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { python } from './contestants.js';

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

/** The versions of what Python's layers consist of; undefined when they are not installed. */
export function pythonVersions(): string | undefined {
  const script = `
import platform, channels, channels_redis, redis, msgpack
try:
    import hiredis
    parser = f"hiredis {hiredis.__version__}"
except ImportError:
    parser = "no hiredis"
print(f"Python {platform.python_version()}, channels_redis {channels_redis.__version__}, channels {channels.__version__},"
      f" redis-py {redis.__version__} with {parser}, msgpack {'.'.join(map(str, msgpack.version))}")`;
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    return execFileSync(python, ['-c', script], { encoding: 'utf8', stdio: [...stdio] }).trim();
  } catch {
    return undefined; // that it is missing is an answer
  }
}
