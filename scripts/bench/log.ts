// Measures the way of a log record beside its peers, in one run.
//
//     npm run bench:log -- [--only KEY]… [--rounds 3] [--quick] [--json]
//
// linod runs as for its users: a site with its worker, and processes that log with createLogger. Beside it run what Lino does
// (Python's SocketHandler and an asyncio server), rsyslog with imptcp, and pino processes that append to one file. Each
// is timed until the last byte is on the disk; then all records are counted. Who is not installed is left out.
//
// Exit codes: 0 measured, 1 failed or a record was lost, 2 used wrongly.

import { createReadStream } from 'node:fs';
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Context, contest, type Found, quantiles, type Row, say } from './contest.js';
import { makeSite, program, startWorker } from './linod.js';
import { Program } from './program.js';
import { freePort, python, saysOf, startRedis } from './servers.js';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const root = here('../..');
/** Each record ends in it: log-sender.ts, lino_sender.py. */
const ending = 'was paid';
const senders = 4;

const rows: readonly Row[] = [
  ...(['sqlite', 'redis'] as const).map(
    (layer): Row => ({
      work: `four processes into one file, ${layer === 'sqlite' ? 'SQLite' : 'Redis'}`,
      number: `four.${layer}.rate`,
      unit: '/s',
      beside: [
        { name: "Lino's way", number: 'four.lino.rate', aim: ['≥', 8] },
        { name: 'rsyslog', number: 'four.rsyslog.rate', aim: ['≥', 1.2] },
        { name: 'bare pino', number: 'four.pino.rate', aim: ['≥', 1.2] },
      ],
    }),
  ),
  {
    work: 'logger.info, a call',
    number: 'four.sqlite.call',
    unit: 'µs',
    beside: [{ name: 'pino', number: 'four.pino.call', aim: ['≤', 1] }],
  },
  { work: 'log verify', number: 'verify.linod.rate', unit: 'MB/s', aim: ['≥', 200] },
  {
    work: 'HTTP server, 1,500 requests/s: CPU in 10 s',
    number: 'everyday.linod.cpu',
    unit: 's',
    beside: [
      { name: 'pino', number: 'everyday.pino.cpu', aim: ['≤', 1.2] },
      { name: 'no log', number: 'everyday.none.cpu' },
    ],
  },
  {
    work: 'HTTP server, 1,500 requests/s: p99',
    number: 'everyday.linod.p99',
    unit: 'ms',
    beside: [
      { name: 'pino', number: 'everyday.pino.p99', aim: ['≤', 1.2] },
      { name: 'no log', number: 'everyday.none.p99' },
    ],
  },
  {
    work: 'the worker beside it: CPU in 10 s',
    number: 'everyday.linod.worker',
    unit: 's',
    beside: [{ name: "pino's server", number: 'everyday.pino.cpu', aim: ['≤', 1.2] }],
  },
];

// ---- four processes into one file

async function startSender(...args: readonly string[]): Promise<Program> {
  const isPython = args[0] === 'lino';
  return await Program.start({
    name: `sender ${args.join(' ')}`,
    command: isPython ? python : process.execPath,
    args: isPython
      ? [here('lino_sender.py'), ...args.slice(1)]
      : [...process.execArgv, here('log-sender.ts'), ...args],
    directory: root,
    ready: /^(ready|listening \d+)$/,
  });
}

/**
 * `rate` in records a second, until the last byte is on the disk, and `call` in µs of the sender's CPU a record, until all are acknowledged.
 *
 * @param mayLose for a peer that drops records under load: those that arrived count
 */
async function four(
  path: string,
  records: number,
  sender: readonly string[],
  mayLose = false,
): Promise<Found> {
  const processes = await Promise.all(Array.from({ length: senders }, () => startSender(...sender)));
  try {
    // The first records find everything cold.
    await race(processes, Math.ceil(records / 20), path, mayLose);
    return await race(processes, records, path, mayLose);
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

async function race(
  processes: readonly Program[],
  records: number,
  path: string,
  mayLose: boolean,
): Promise<Found> {
  const before = await countRecords(path);
  const total = senders * records;
  const from = performance.now();
  for (const process of processes) process.tell(String(records));
  const said = await Promise.all(processes.map((process) => process.line(/^done/)));
  const loggedAt = performance.now();
  const grownAt = await whenComplete(path, before + total, mayLose);
  const arrived = (await countRecords(path)) - before;
  if (arrived < total) say(`${total - arrived} records are lost`);
  const seconds = (Math.max(loggedAt, grownAt) - from + (await syncMs(path))) / 1000;
  const cpuMs = said.map((line) => Number(line.split(' ')[1] ?? Number.NaN));
  return { rate: arrived / seconds, call: (quantiles(cpuMs).p50 * 1000) / records };
}

/** When the last byte came. @throws Error when records are missing, or there twice */
async function whenComplete(path: string, total: number, mayLose: boolean): Promise<number> {
  const giveUpAt = performance.now() + 120_000;
  let [size, grownAt] = [0, performance.now()];
  for (;;) {
    const now = performance.now();
    const found = await sizeOf(path);
    if (found !== size) [size, grownAt] = [found, now];
    else if (now - grownAt > 100) {
      const count = await countRecords(path);
      if (count === total || (mayLose && now - grownAt > 5000)) return grownAt;
      if (count > total || now > giveUpAt) throw new Error(`${count} of ${total} records are in ${path}`);
      await pause(100);
    }
    await pause(5);
  }
}

async function countRecords(path: string): Promise<number> {
  if ((await sizeOf(path)) === 0) return 0;
  let count = 0;
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2, encoding: 'latin1' })) {
    const parts = (rest + String(chunk)).split(ending);
    count += parts.length - 1;
    rest = parts.at(-1)?.slice(1 - ending.length) ?? '';
  }
  return count;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function syncMs(path: string): Promise<number> {
  const file = await open(path, 'r');
  const from = performance.now();
  await file.datasync();
  await file.close();
  return performance.now() - from;
}

async function linodFour({ directory, quick }: Context, channelLayer?: string): Promise<Found> {
  const site = await makeSite(directory, channelLayer === undefined ? {} : { channelLayer });
  const worker = await startWorker(site);
  try {
    return await four(site.logFile, quick ? 5000 : 500_000, ['linod', directory]);
  } finally {
    await worker.stop();
  }
}

async function linodFourOnRedis(context: Context): Promise<Found> {
  const redis = await startRedis();
  try {
    return await linodFour(context, redis.url);
  } finally {
    await redis.close();
  }
}

/** A SocketHandler in each of four Python processes, and an asyncio server that unpickles. */
async function linosWay({ directory, quick }: Context): Promise<Found | undefined> {
  if (saysOf(python, '--version') === undefined) return undefined;
  const path = join(directory, 'lino.log');
  const port = String(await freePort());
  const args = [here('lino_server.py'), port, path];
  const server = await Program.start({
    name: "Lino's server",
    command: python,
    args,
    directory,
    ready: /^ready$/,
  });
  try {
    // SocketHandler gives a record up when its socket has been full for a second.
    return await four(path, quick ? 1000 : 50_000, ['lino', port], true);
  } finally {
    await server.stop();
  }
}

/** imptcp, which is rsyslog's quickest way in. */
async function rsyslog({ directory, quick }: Context): Promise<Found | undefined> {
  if (saysOf('rsyslogd', '-v') === undefined) return undefined;
  const path = join(directory, 'syslog.log');
  const port = await freePort();
  const config = join(directory, 'rsyslog.conf');
  await writeFile(
    config,
    `
global(workDirectory="${directory}")
module(load="imptcp" threads="2")
template(name="line" type="string" string="%timereported:::date-rfc3339% %syslogseverity-text% %app-name%[%procid%] %msg%\\n")
input(type="imptcp" address="127.0.0.1" port="${port}")
action(type="omfile" file="${path}" template="line")
`,
  );
  const server = await Program.start({
    name: 'rsyslogd',
    // It says nothing when it listens, so the shell waits for that.
    command: 'bash',
    args: [
      '-c',
      `rsyslogd -n -f ${config} -i ${directory}/pid & p=$!; trap "kill $p" TERM; for i in $(seq 200); do (: </dev/tcp/127.0.0.1/${port}) 2>/dev/null && break; sleep 0.05; done; echo ready; wait $p`,
    ],
    directory,
    ready: /^ready$/,
  });
  try {
    return await four(path, quick ? 5000 : 250_000, ['syslog', String(port)]);
  } finally {
    await server.stop();
  }
}

/** No aggregation: four processes append to one file, and nobody knows whether anything is missing. */
async function pinoFour({ directory, quick }: Context): Promise<Found> {
  const path = join(directory, 'pino.log');
  return await four(path, quick ? 5000 : 250_000, ['pino', path]);
}

// ---- an HTTP server at everyday rates

const requestsPerSecond = 1500;

/** `cpu` of the server in seconds, `p99` of the requests in ms. */
async function everyday(target: readonly string[], quick: boolean): Promise<Found> {
  const server = await startSender(...target, 'serve');
  try {
    const port = Number(server.readyLine.split(' ')[1]);
    await load(port, quick ? 1 : 3);
    const before = server.usage().cpuMs;
    const seconds = quick ? 2 : 10;
    const times = await load(port, seconds);
    const cpu = ((server.usage().cpuMs - before) / seconds) * 10;
    return { cpu: cpu / 1000, ...quantiles(times) };
  } finally {
    await server.stop();
  }
}

/** Requests at the rate, whatever the answers take. @returns what each took */
async function load(port: number, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const times: number[] = [];
  const open: Array<Promise<void>> = [];
  const from = performance.now();
  for (let sent = 0; sent < seconds * requestsPerSecond; ) {
    const due = Math.min(
      seconds * requestsPerSecond,
      ((performance.now() - from) / 1000) * requestsPerSecond,
    );
    for (; sent < due; sent++) open.push(request(port, agent, sent, times));
    await pause(1);
  }
  await Promise.all(open);
  agent.destroy();
  return times;
}

function request(port: number, agent: Agent, number: number, times: number[]): Promise<void> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent, path: `/orders/${number}` }, (response) => {
      response.resume().once('end', () => {
        times.push(performance.now() - from);
        resolve();
      });
    }).once('error', reject);
  });
}

async function linodEveryday({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const worker = await startWorker(site);
  try {
    const before = worker.usage().cpuMs;
    const found = await everyday(['linod', directory], quick);
    // It works for the seconds of warm-up, too.
    const share = quick ? 3 : 13;
    return { ...found, worker: ((worker.usage().cpuMs - before) / share / 1000) * 10 };
  } finally {
    await worker.stop();
  }
}

// ---- log verify

/** In MB a second, the start of the command included. */
async function verify({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const bytes = await writeLog(site.logFile, quick ? 20e6 : 1e9);
  const from = performance.now();
  await Program.start({
    name: 'linod log verify',
    command: process.execPath,
    args: [program('linod'), 'log', 'verify', site.logFile],
    directory,
    ready: /the log is complete/,
  });
  return { rate: bytes / 1e3 / (performance.now() - from) };
}

/** A log as four senders fill it, 500 records in a row each. @returns its size */
async function writeLog(path: string, sizeBytes: number): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  const time = `${new Date().toISOString().slice(0, -1).replace('T', ' ')}+00:00`;
  let text = `${time} INFO - linod.log: the log begins {"file":"bench"}\n`;
  for (let n = 1; n <= senders; n++)
    text += `${time} INFO - linod.log: web[${n}] begins {"sender":"web[${n}]","epoch":"e${n}","last":0}\n`;
  let size = 0;
  for (let first = 1; size < sizeBytes; first += 500) {
    for (let n = 1; n <= senders; n++) {
      for (let number = first; number < first + 500; number++)
        text += `${time} INFO web[${n}]#${number} shop.orders: order ${number} of customer C-17 ${ending}\n`;
    }
    size += (await file.write(text)).bytesWritten;
    text = '';
  }
  await file.close();
  return size;
}

await contest(rows, 3, async () => ({
  experiments: [
    {
      key: 'everyday',
      contestants: {
        none: ({ quick }) => everyday(['none', '-'], quick),
        pino: ({ directory, quick }) => everyday(['pino', join(directory, 'pino.log')], quick),
        linod: linodEveryday,
      },
    },
    {
      key: 'four',
      contestants: {
        lino: linosWay,
        rsyslog,
        pino: pinoFour,
        sqlite: (context) => linodFour(context),
        redis: linodFourOnRedis,
      },
    },
    { key: 'verify', once: true, contestants: { linod: verify } },
  ],
}));
