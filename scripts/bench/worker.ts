// Measures what a worker costs: its start, a minute in which nothing happens, and the start of a run in a thread and in a process.
//
//     npm run bench:worker -- [--only KEY]… [--rounds 5] [--quick] [--json]
//
// Beside linod run a Node process that only waits on Redis, which no worker on Node can beat, and Python's `runworker` with
// the least settings, if Debian's packages are installed.
//
// Exit codes: 0 measured, 1 failed, 2 used wrongly.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Context, contest, type Found, quantiles, type Row } from './contest.js';
import { linod, makeSite, program, startWorker } from './linod.js';
import { Program, type Subject } from './program.js';
import { python, saysOf, startRedis } from './servers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const rows: readonly Row[] = [
  {
    work: 'start until it listens, SQLite',
    number: 'start.sqlite.ms',
    unit: 'ms',
    aim: ['≤', 400],
    beside: [
      { name: 'Python, Redis', number: 'start.python.ms' },
      { name: 'bare Node, Redis', number: 'start.node.ms' },
    ],
  },
  { work: 'start until it listens, Redis', number: 'start.redis.ms', unit: 'ms', aim: ['≤', 400] },
  {
    work: 'idle, SQLite: CPU a minute',
    number: 'idle.sqlite.cpu',
    unit: 's',
    aim: ['≤', 0.1],
    beside: [
      { name: 'Python, Redis', number: 'idle.python.cpu' },
      { name: 'bare Node, Redis', number: 'idle.node.cpu' },
    ],
  },
  {
    work: 'idle, SQLite: memory',
    number: 'idle.sqlite.rss',
    unit: 'MiB',
    aim: ['≤', 90],
    beside: [
      { name: 'Python, Redis', number: 'idle.python.rss' },
      { name: 'bare Node, Redis', number: 'idle.node.rss' },
    ],
  },
  { work: 'idle, Redis: CPU a minute', number: 'idle.redis.cpu', unit: 's', aim: ['≤', 0.1] },
  { work: 'idle, Redis: memory', number: 'idle.redis.rss', unit: 'MiB', aim: ['≤', 90] },
  { work: 'requested run, inline', number: 'runs.linod.inline', unit: 'ms' },
  { work: 'requested run, cold thread', number: 'runs.linod.thread', unit: 'ms', aim: ['≤', 150] },
  { work: 'requested run, cold process', number: 'runs.linod.process', unit: 'ms', aim: ['≤', 300] },
];

/** A new site with the shipped procedures, initiated. */
async function linodWorker(directory: string, layer?: string): Promise<Subject> {
  const settings = { shippedProcedures: true, ...(layer === undefined ? {} : { channelLayer: layer }) };
  const site = await makeSite(directory, settings);
  return {
    name: 'linod',
    command: process.execPath,
    args: [program('runworker'), site.channel, '--initiate'],
    directory,
    ready: /is listening/,
  };
}

function bareNode(url: string): Subject {
  const script = `
    import { Redis } from 'ioredis';
    const redis = new Redis('${url}', { maxRetriesPerRequest: null });
    await redis.ping();
    console.log('ready');
    for (;;) await redis.bzpopmin('bench:nothing', 5);
  `;
  return {
    name: 'bare Node',
    command: process.execPath,
    args: ['--input-type=module', '--eval', script],
    directory: root,
    ready: /^ready$/,
  };
}

/** `manage.py runworker` of Python's Channels, with the least settings that it runs with. */
async function pythonWorker(directory: string, url: string): Promise<Subject | undefined> {
  if (saysOf(python, '-c', 'import channels, channels_redis, django') === undefined) return undefined;
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, 'bench_site.py'),
    `SECRET_KEY = "bench"
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "bench_asgi.application"
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": ["${url}"]}}
}
LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
`,
  );
  await writeFile(
    join(directory, 'bench_asgi.py'),
    `from channels.consumer import AsyncConsumer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter

application = ProtocolTypeRouter({"channel": ChannelNameRouter({"bench": AsyncConsumer.as_asgi()})})
`,
  );
  return {
    name: 'Python',
    command: 'env',
    args: [
      `PYTHONPATH=${directory}`,
      'DJANGO_SETTINGS_MODULE=bench_site',
      ...[python, '-m', 'django', 'runworker', 'bench'],
    ],
    directory,
    ready: /Running worker/,
  };
}

/** A first start is not counted: it compiles the site's files and makes the database. */
async function start(subject: Subject | undefined): Promise<Found | undefined> {
  if (subject === undefined) return undefined;
  await (await Program.start(subject)).stop();
  const started = await Program.start(subject);
  await started.stop();
  return { ms: started.startMs };
}

/** After a minute to settle, a minute that counts: `cpu` in seconds, `rss` in MiB. */
async function idle(subject: Subject | undefined, quick: boolean): Promise<Found | undefined> {
  if (subject === undefined) return undefined;
  await (await Program.start(subject)).stop();
  const running = await Program.start(subject);
  const forMs = quick ? 5000 : 60_000;
  await pause(forMs);
  const before = running.usage().cpuMs;
  await pause(forMs);
  const { cpuMs, rssBytes } = running.usage();
  await running.stop();
  return { cpu: ((cpuMs - before) / forMs) * 60, rss: rssBytes / 1024 ** 2 };
}

/** From the request until the procedure's first statement, each time in a thread or process that is started for it. */
async function runs({ directory, quick }: Context): Promise<Found> {
  const count = quick ? 2 : 10;
  const kinds = ['inline', 'thread', 'process'] as const;
  // Runs with different limits of memory have no thread or process in common.
  const code = `import { appendFileSync } from 'node:fs';
import { type BaseRequest, scheduleDaily } from 'linod';

const begun = (ar: BaseRequest) =>
  appendFileSync('begun.txt', \`\${ar.jobId} \${performance.timeOrigin + performance.now()}\\n\`);
for (const runIn of ${JSON.stringify(kinds)} as const)
  for (let i = 0; i < ${count}; i++)
    scheduleDaily({ name: runIn + i, runIn, ...(runIn === 'inline' ? {} : { memoryMb: 500 + i }) }, begun);
`;
  const site = await makeSite(directory, {}, { file: 'bench.ts', code });
  await (await startWorker(site)).stop();
  const worker = await startWorker(site);
  const store = await linod.openStore(site);
  const layer = await site.openLayer();
  const asked = new Map<number, { kind: (typeof kinds)[number]; at: number }>();
  await pause(2000);
  for (const kind of kinds) {
    for (let i = 0; i < count; i++) {
      const at = performance.timeOrigin + performance.now();
      const { request } = await linod.RunJob.request({ site, store, layer, user: 'bench' }, `${kind}${i}`);
      const job = await linod.RunJob.ended({ site, store, layer, user: 'bench' }, request);
      if (job === null || job.status !== 'done')
        throw new Error(`the run of ${kind}${i} failed: ${job?.message}`);
      asked.set(job.id, { kind, at });
    }
  }
  await layer.close();
  await store.close();
  await worker.stop();
  const times: Record<(typeof kinds)[number], number[]> = { inline: [], thread: [], process: [] };
  for (const line of (await readFile(join(directory, 'begun.txt'), 'utf8')).trim().split('\n')) {
    const [job, at] = line.split(' ').map(Number);
    const request = asked.get(job ?? Number.NaN);
    if (request !== undefined) times[request.kind].push((at ?? Number.NaN) - request.at);
  }
  return Object.fromEntries(kinds.map((kind) => [kind, quantiles(times[kind]).p50]));
}

await contest(rows, 5, async () => {
  const redis = await startRedis();
  const subjects = {
    sqlite: ({ directory }: Context) => linodWorker(directory),
    redis: ({ directory }: Context) => linodWorker(directory, redis.url),
    node: async () => bareNode(redis.url),
    python: ({ directory }: Context) => pythonWorker(directory, redis.url),
  };
  const each = (measure: (subject: Subject | undefined, quick: boolean) => Promise<Found | undefined>) =>
    Object.fromEntries(
      Object.entries(subjects).map(([name, make]) => [
        name,
        async (context: Context) => await measure(await make(context), context.quick),
      ]),
    );
  return {
    experiments: [
      { key: 'start', contestants: each(start) },
      { key: 'idle', once: true, contestants: each(idle) },
      { key: 'runs', once: true, contestants: { linod: runs } },
    ],
    close: () => redis.close(),
  };
});
