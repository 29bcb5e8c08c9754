// A site of linod for one measurement, and its real worker, `runworker`, as a process of its own.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SiteConfig } from '../../../src/site/settings.js';
import { loadSite, type Site } from '../../../src/site.js';
import { Program } from '../shared/program.js';
import { type Call, callsVariable, readCalls } from './calls.js';

const runworker = fileURLToPath(new URL('../../../../dist/scripts/runworker.js', import.meta.url));

export interface BenchSiteOptions {
  readonly directory: string;
  /** Code that registers procedures; `call(ar)` notes a call down. May use all that `linod` exports. */
  readonly procedures: string;
  readonly settings?: SiteConfig;
}

export class BenchSite {
  readonly site: Site;
  readonly #calls: string;

  private constructor(site: Site) {
    this.site = site;
    this.#calls = join(site.directory, 'calls.json');
  }

  /** Makes it, with its rules. A worker has run there once, since the first one compiles what later ones find in a cache. */
  static async make({ directory, procedures, settings }: BenchSiteOptions): Promise<BenchSite> {
    await mkdir(join(directory, 'procedures'), { recursive: true });
    const config: SiteConfig = { name: 'bench', shippedProcedures: false, timezone: 'UTC', ...settings };
    await writeFile(join(directory, 'linod.config.json'), JSON.stringify(config));
    await writeFile(join(directory, 'procedures', 'bench.mjs'), `${noting}\n${procedures}\n`);
    const bench = new BenchSite(await loadSite(directory, { environment: {} }));
    const first = await bench.startWorker();
    await first.stop();
    return bench;
  }

  /** Starts its worker with the coroutines, and waits until it listens. */
  async startWorker({ concurrency }: { concurrency?: number } = {}): Promise<Program> {
    return await Program.start({
      name: 'linod',
      command: process.execPath,
      args: [
        ...[runworker, this.site.channel, '--initiate'],
        ...(concurrency === undefined ? [] : ['--concurrency', String(concurrency)]),
      ],
      directory: this.site.directory,
      environment: { [callsVariable]: this.#calls },
      ready: /is listening/,
    });
  }

  /** What the last worker noted down; it must have ended. */
  async calls(): Promise<Call[]> {
    return await readCalls(this.#calls);
  }
}

/** In memory while it is measured, in a file when it has ended. */
const noting = `
import { writeFileSync } from 'node:fs';
import * as linod from 'linod';

const calls = [];
const call = (ar) => {
  calls.push(ar.jobId, Date.now(), Number(process.hrtime.bigint()) / 1e6);
};
process.on('exit', () => writeFileSync(process.env.${callsVariable}, JSON.stringify(calls)));
`;
