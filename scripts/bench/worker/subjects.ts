// What is compared: linod's worker on both layers, the least that Node can do, and Python's worker.

import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeSite } from '../../../src/commands/init.js';
import { python } from '../shared/machine.js';
import type { Subject } from '../shared/program.js';

const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url));
const runworker = fileURLToPath(new URL('../../../../dist/scripts/runworker.js', import.meta.url));

/** A new site whose worker has the shipped procedures and no others, and has been initiated. */
export async function linodWorker(parent: string, name: string, layer?: string): Promise<Subject> {
  const site = join(parent, name);
  await makeSite(site, name);
  await rm(join(site, 'procedures'), { recursive: true });
  return {
    name: `linod, ${layer === undefined ? 'SQLite' : 'Redis'}`,
    command: process.execPath,
    args: [runworker, `linod_${name}`, '--initiate', ...(layer === undefined ? [] : ['--layer', layer])],
    directory: site,
    ready: /is listening/,
  };
}

/** A Node process that does nothing but wait for a message: no worker on Node can cost less. */
export function plainNode(port: number): Subject {
  const script = `
    import { Redis } from 'ioredis';
    const redis = new Redis(${port}, '127.0.0.1', { maxRetriesPerRequest: null });
    await redis.ping();
    console.log('ready');
    for (;;) await redis.bzpopmin('bench:nothing', 5);
  `;
  return {
    name: 'Node and ioredis, bare',
    command: process.execPath,
    args: ['--input-type=module', '--eval', script],
    directory: packageRoot,
    ready: /^ready$/,
  };
}

/** `manage.py runworker` of Python's Channels, with the least settings that it runs with. */
export async function pythonWorker(parent: string, port: number): Promise<Subject> {
  const directory = join(parent, 'python');
  await mkdir(directory);
  await writeFile(join(directory, 'bench_site.py'), djangoSettings(port));
  await writeFile(join(directory, 'bench_asgi.py'), djangoApplication);
  return {
    name: 'Python Channels, Redis',
    command: python,
    args: ['-m', 'django', 'runworker', 'bench'],
    directory,
    environment: { DJANGO_SETTINGS_MODULE: 'bench_site', PYTHONPATH: directory },
    ready: /Running worker/,
  };
}

/** The versions of what Python's worker consists of; undefined when it is not installed here. */
export function pythonVersions(): string | undefined {
  const script = `
import platform, channels, channels_redis, django, redis
print(f"Python {platform.python_version()}, Django {django.__version__}, channels {channels.__version__},"
      f" channels_redis {channels_redis.__version__}, redis-py {redis.__version__}")`;
  try {
    return execFileSync(python, ['-c', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined; // that it is missing is an answer
  }
}

function djangoSettings(port: number): string {
  return `SECRET_KEY = "bench"
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "bench_asgi.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": ["redis://127.0.0.1:${port}"]},
    }
}
LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
`;
}

const djangoApplication = `from channels.consumer import AsyncConsumer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter


class Bench(AsyncConsumer):
    async def bench_nothing(self, message):
        pass


application = ProtocolTypeRouter({"channel": ChannelNameRouter({"bench": Bench.as_asgi()})})
`;
