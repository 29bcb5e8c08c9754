// Measures how soon a procedure begins in a thread and in a process: from the moment at which its job is the worker's to
// its first line, where one waits for it (warm) and where one has to be started and to load the site (cold). The very first one of a
// site finds no compiled code (first). Beside that, how soon a thread and a process of Node that do nothing else say a word (bare): nothing can begin sooner than they.
//
//     node scripts/bench.mjs runs [--warm N] [--cold N]
//
// Exit codes: 0.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ChoiceList } from '../../src/choices.js';
import { Logger } from '../../src/log/logger.js';
import type { LogSink } from '../../src/log/sink.js';
import { Procedure } from '../../src/procedure.js';
import { loadSite } from '../../src/site.js';
import { createTasks } from '../../src/tasks/create-tasks.js';

const { values } = parseArgs({
  options: { warm: { type: 'string', default: '200' }, cold: { type: 'string', default: '10' } },
});
const kinds = ['thread', 'process'] as const;
const rare = { every: 1, everyUnit: 'yearly' } as const;

console.log(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? '?'}, load ${loadavg()[0]?.toFixed(2)}`,
);
const directory = await mkdtemp(join(tmpdir(), 'linod-bench-runs-'));
await mkdir(join(directory, 'procedures'));
await writeFile(join(directory, 'linod.config.json'), '{ "name": "bench", "shippedProcedures": false }');
// It tells its instant by a clock that all threads and processes of a machine share.
const body = `(ar) => ar.info('begun', { at: performance.timeOrigin + performance.now() })`;
await writeFile(
  join(directory, 'procedures', 'begin.ts'),
  `import { scheduleOften } from 'linod';\n${kinds.map((kind) => `scheduleOften({ name: '${kind}' }, ${body});`).join('\n')}\n`,
);

const site = await loadSite(directory, { environment: {} });
const store = await site.openStore();
const procedures = new ChoiceList<Procedure>();
for (const kind of kinds)
  procedures.add(new Procedure(kind, () => undefined, { ...rare, runIn: kind }, 'bench'));
let startedAt = 0;
let tookMs = Number.NaN;
const sink: LogSink = {
  write(_level, _logger, message, fields) {
    if (message === 'begun') tookMs = Number(fields?.at) - startedAt;
    else if (message.endsWith(' started')) startedAt = performance.timeOrigin + performance.now();
  },
};
const logger = new Logger({ sink, name: 'bench', level: 'DEBUG' });
const { tasks, rules, requests, close } = createTasks({ site, store, procedures, sink, logger });
await tasks.setup();

console.log('from the claim to the first line, in ms      n    p50    p95    max');
for (const rule of await rules.list()) {
  const bare: number[] = [];
  const first: number[] = [];
  const cold: number[] = [];
  let memoryMb = 1000;
  for (let i = 1; i <= Number(values.cold); i++) {
    bare.push(await (rule.procedure === 'thread' ? bareThread() : bareProcess()));
    await rm(join(directory, '.cache'), { recursive: true, force: true });
    for (const times of [first, cold]) {
      // Those with another limit of memory are others.
      await rules.edit(rule.id, { memoryMb: ++memoryMb });
      times.push(await measure(rule.id));
      await untilKept();
    }
  }
  const warm: number[] = [];
  for (let i = 0; i < Number(values.warm); i++) warm.push(await measure(rule.id));
  show(`${rule.procedure}, bare`, bare);
  show(`${rule.procedure}, first`, first);
  show(`${rule.procedure}, cold`, cold);
  show(`${rule.procedure}, warm`, warm);
}
await close();
await store.close();
await rm(directory, { recursive: true });

async function measure(rule: number): Promise<number> {
  tookMs = Number.NaN;
  await requests.add(rule, 'run', 'bench');
  await tasks.run();
  await tasks.settled();
  if (Number.isNaN(tookMs)) throw new Error('the run did not begin');
  return tookMs;
}

/** The first run leaves its compiled code when it has ended. */
async function untilKept(): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  const isKept = async () => {
    const names = await readdir(join(directory, '.cache')).catch(() => []);
    return [/^program\..*\.code$/, /^jiti\..*\.code$/, /^hashes\.json$/].every((kept) =>
      names.some((name) => kept.test(name)),
    );
  };
  while (!(await isKept())) {
    if (performance.now() > giveUpAt) throw new Error('no compiled code and no hashes are kept');
    await pause(5);
  }
}

async function bareThread(): Promise<number> {
  const at = performance.now();
  const thread = new Worker(`require('node:worker_threads').parentPort.postMessage('here')`, { eval: true });
  await once(thread, 'message');
  const tookMs = performance.now() - at;
  await thread.terminate();
  return tookMs;
}

async function bareProcess(): Promise<number> {
  const at = performance.now();
  const child = spawn(process.execPath, ['--eval', `process.send('here')`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  const tookMs = performance.now() - at;
  child.disconnect();
  await once(child, 'exit');
  return tookMs;
}

function show(what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2);
  const cells = [String(times.length), at(0.5), at(0.95), at(1)].map((cell) => cell.padStart(7));
  console.log(`${what.padEnd(40)}${cells.join('')}`);
}
