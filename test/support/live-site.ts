// A site whose programs really run: its worker, its commands, and processes of an application that log.

import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Job, jobFromRow } from '../../src/runs/job.js';
import type { SiteConfig } from '../../src/site/site.js';
import { openStore, type Store } from '../../src/store/store.js';
import { type LoggedRecord, readLog } from './log.js';
import { type Ended, eventually, logModuleUrl, Program, type ScriptName, scriptPath } from './programs.js';
import { RedisServer } from './redis.js';
import { siteDirectory } from './site.js';

/** What carries the messages of a site: with Redis, a server of the test's own. */
export interface LiveLayer {
  readonly config: SiteConfig;
}

/** Makes a claim about a site on SQLite, and the same about one on Redis. */
export function onBothLayers(claim: string, check: (t: Test, layer: LiveLayer) => Promise<void>): void {
  t.test(`${claim}, on SQLite`, (t) => check(t, { config: {} }));
  t.test(`${claim}, on Redis`, async (t) => {
    const server = await RedisServer.start(t);
    await check(t, { config: { channelLayer: server.url } });
  });
}

export interface LiveSiteOptions extends SiteConfig {
  /** More files of the site, by their paths in it: `procedures/garden.ts`. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * A process of an application: `application.mjs NAME COUNT BURST`. It logs `record 1`, `record 2`… in bursts of so many
 * each millisecond, up to COUNT or until it is told to stop on its standard input. Now and then it prints
 * `safe N`: it logged N more than 50 ms ago. At the end it closes its logger and prints `logged N`.
 */
const application = `import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { createLogger } from '${logModuleUrl}';

const [name, count, burst] = process.argv.slice(2);
const logger = createLogger({ site: import.meta.dirname, name });
let isStopped = false;
createInterface(process.stdin).on('line', () => {
  isStopped = true;
});
// Until its site is known, what a process logs is in its memory only.
await logger.flush();
let n = 0;
let mark = { n, at: performance.now() };
while (n < Number(count) && !isStopped) {
  for (let i = 0; i < Number(burst) && n < Number(count); i++) logger.info('record ' + ++n);
  if (performance.now() - mark.at > 60) {
    console.log('safe ' + mark.n);
    mark = { n, at: performance.now() };
  }
  await setTimeout(1);
}
await logger.close();
console.log('logged ' + n);
process.stdin.destroy();
`;

export class LiveSite {
  readonly directory: string;
  readonly channel: string;
  /** Variables of the programs that are started from now on. */
  environment: Readonly<Record<string, string>> = {};
  readonly #t: Test;
  readonly databaseUrl: string;
  #store: Promise<Store> | undefined;

  /** A site named `test` in the zone UTC with only the procedures that `files` bring. It vanishes with the test. */
  constructor(t: Test, { files = {}, ...config }: LiveSiteOptions = {}) {
    this.#t = t;
    this.directory = siteDirectory(t, config);
    this.channel = `linod_${config.name ?? 'test'}`;
    this.databaseUrl = config.databaseUrl ?? `sqlite:${this.path('linod.db')}`;
    this.write({ 'application.mjs': application, ...files });
  }

  get logFile(): string {
    return this.path('log/lino.log');
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Writes files of the site, by their paths in it. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true });
      writeFileSync(this.path(name), content);
    }
  }

  /** Starts one of the package's programs in the site's directory. */
  start(script: ScriptName, ...args: readonly string[]): Program {
    const { directory: cwd, environment } = this;
    return Program.start(this.#t, scriptPath(script), args, { cwd, environment });
  }

  /** Runs one of the package's programs to its end. */
  async run(script: ScriptName, ...args: readonly string[]): Promise<Ended> {
    return await this.start(script, ...args).ended();
  }

  /** Runs `initiate_linod`, with time enough for the workers of a slow machine. */
  async initiate(): Promise<Ended> {
    return await this.run('initiate_linod', '--timeout', '60');
  }

  /** Runs `linod` with these words, which must succeed. @returns what it printed on stdout */
  async linod(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run('linod', ...args);
    if (code !== 0) throw new Error(`linod ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** Starts a worker and waits until it listens. */
  async startWorker(...flags: readonly string[]): Promise<Program> {
    const worker = this.start('runworker', this.channel, ...flags);
    await worker.printed(/is listening/);
    return worker;
  }

  /**
   * Starts a process of the application.
   *
   * @param count how many records it logs; without end when left out
   * @param burst how many at once; with 20 the whole process is busy with it
   */
  startApplication(name: string, { count = Number.POSITIVE_INFINITY, burst = 2 } = {}): Program {
    return Program.start(this.#t, this.path('application.mjs'), [name, String(count), String(burst)]);
  }

  /** The site's database, for a look into it. Closed with the test. */
  async store(): Promise<Store> {
    if (this.#store === undefined) {
      const store = openStore({ url: this.databaseUrl });
      this.#store = store;
      this.#t.teardown(async () => (await store).close());
    }
    return await this.#store;
  }

  /** The jobs so far, all or those of one procedure, the oldest first. */
  async jobs(procedure?: string): Promise<Job[]> {
    const { db } = await this.store();
    const rows = await db.selectFrom('jobs').selectAll().orderBy('id').execute();
    return rows.map(jobFromRow).filter((job) => procedure === undefined || job.procedure === procedure);
  }

  /** Waits until the jobs of a procedure are as they should. */
  async untilJobs(
    procedure: string,
    what: string,
    condition: (jobs: readonly Job[]) => boolean,
  ): Promise<Job[]> {
    let jobs: Job[] = [];
    await eventually(`jobs of ${procedure}: ${what}`, async () => {
      jobs = await this.jobs(procedure);
      return condition(jobs);
    });
    return jobs;
  }

  /** All records in `lino.log` and what was rotated away. */
  async records(): Promise<LoggedRecord[]> {
    return await readLog(this.logFile);
  }

  /** Waits for a record with such a text. */
  async logged(pattern: RegExp): Promise<LoggedRecord> {
    let found: LoggedRecord | undefined;
    await eventually(`lino.log has ${pattern}`, async () => {
      found = (await this.currentRecords()).find((record) => pattern.test(record.text));
      return found !== undefined;
    });
    if (found === undefined) throw new Error('unreachable: it was found');
    return found;
  }

  /** What can be read while the log is being written: a line that is half there counts when it is whole. */
  async currentRecords(): Promise<LoggedRecord[]> {
    return await readLog(this.logFile).catch(() => []);
  }

  /** Waits until the log has that many records of a process of the application. */
  async untilRecords(program: Program, name: string, count: number): Promise<void> {
    // Records of one sender stand there in order, so that the last one tells of all; and it is found quickly.
    const last = ` ${name}[${program.pid}]#${count} `;
    await eventually(`lino.log has${last}`, async () => {
      const files = (await readdir(dirname(this.logFile)).catch(() => [])).filter((file) =>
        file.startsWith('lino.log'),
      );
      for (const file of files) if ((await readFile(this.path(`log/${file}`))).includes(last)) return true;
      return false;
    });
  }
}

/**
 * What is wrong with the records of a process of the application that logged `count`: nothing, if each stands there
 * once, in order, under its number. Of a process that was killed more may be there than is known.
 */
export function faults(records: readonly LoggedRecord[], sender: string, count: number): string[] {
  const own = records.filter((record) => record.sender === sender);
  const wrong = own.flatMap(({ number, text }, index) =>
    number === index + 1 && text === `record ${number}`
      ? []
      : [`${sender}#${number} "${text}" stands at ${index + 1}`],
  );
  const missing = own.length < count ? [`${sender} has ${own.length} of ${count} records`] : [];
  return [...wrong, ...missing].slice(0, 10);
}

/** Waits until the application has said so often more which records are safe. @returns the last of these */
export async function marks(program: Program, count: number): Promise<number> {
  let last = lastMark(program);
  for (let i = 0; i < count; i++) {
    const before = last;
    await program.printed((line) => markOf(line) > before);
    last = lastMark(program);
  }
  return last;
}

/** The last record that an application has said to be safe. */
export function lastMark(program: Program): number {
  return Math.max(0, ...program.lines.map(markOf));
}

function markOf(line: string): number {
  return Number(/^safe (\d+)$/.exec(line)?.[1] ?? 0);
}

/** Has an application end. @returns how many records it has logged */
export async function stopApplication(program: Program): Promise<number> {
  program.tell('stop');
  const { code, signal, stdout, stderr } = await program.ended();
  if (code === 0) return Number(/^logged (\d+)$/m.exec(stdout)?.[1]);
  throw new Error(`the application ended with ${signal ?? code}: ${stderr}`);
}
