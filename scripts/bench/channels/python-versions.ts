// Whether Python's layers are there to compare with.

import { execFileSync } from 'node:child_process';
import { python } from '../shared/machine.js';

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
