// Sites whose runs take place in threads and processes: real ones, of the built program.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Policies } from '../../src/rules/policies.js';
import type { Job } from '../../src/runs/job.js';
import { type Bench, openBench } from './site.js';
import { until } from './until.js';

// Tap's hooks would be loaded into each process.
delete process.env.NODE_OPTIONS;

export const kinds = ['thread', 'process'] as const;
export type Kind = (typeof kinds)[number];

/** A rule that is not due while a test moves the clock. */
export const rare = {
  every: 1,
  everyUnit: 'yearly',
  onFailure: 'continue',
  timeoutSeconds: 7200,
} as const;

/** Writes the site's procedures and makes their rules. What the worker has under these names is never called. */
export async function openRemote(
  t: Test,
  runIn: Kind,
  procedures: Record<string, string>,
  policies: Partial<Policies> = {},
): Promise<Bench> {
  const bench = await openBench(t, { maxJobs: 20 });
  await bench.join();
  writeProcedures(bench, procedures);
  for (const name of Object.keys(procedures))
    bench.add(name, () => undefined, { ...rare, runIn, ...policies });
  await bench.tasks.setup();
  return bench;
}

function writeProcedures({ site }: Bench, procedures: Record<string, string>): void {
  mkdirSync(join(site.directory, 'procedures'), { recursive: true });
  const calls = Object.entries(procedures).map(
    ([name, body]) =>
      `scheduleOften({ name: '${name}', every: 3600 }, async (ar: BaseRequest) => {\n${body}\n});`,
  );
  const imports = `import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type BaseRequest, scheduleOften } from 'linod';
const forever = () => new Promise(() => setInterval(() => undefined, 1000));
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
`;
  writeFileSync(join(site.directory, 'procedures', 'all.ts'), imports + calls.join('\n'));
}

/** Asks for runs of these procedures, which begin. */
export async function request(bench: Bench, ...names: string[]): Promise<void> {
  for (const rule of await bench.rules.list())
    if (names.includes(rule.procedure)) await bench.requests.add(rule.id, 'run', 'robin', { args: { n: 1 } });
  await bench.tasks.run();
}

/** The jobs by their procedures, of each the oldest. */
export async function jobsByName(bench: Bench): Promise<Record<string, Job>> {
  const jobs = await bench.jobs.list({ limit: 100 });
  return Object.fromEntries(jobs.map((job) => [job.procedure, job]));
}

/** Waits for a record of a run. */
export async function untilRecord(bench: Bench, pattern: RegExp): Promise<string> {
  await until(`a record has ${pattern}`, () => bench.records.some((record) => pattern.test(record)));
  return bench.records.find((record) => pattern.test(record)) ?? '';
}
