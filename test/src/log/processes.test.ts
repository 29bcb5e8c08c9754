// The log of a whole site: real processes, a real layer, and the ways in which processes end.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { readLog } from '../../support/log.js';
import { Random } from '../../support/random.js';

const child = fileURLToPath(new URL('../../support/log-child.ts', import.meta.url));

class TestSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'linod-log-'));
  readonly #t: Test;
  readonly #processes: ChildProcess[] = [];

  constructor(t: Test) {
    this.#t = t;
    this.configure({ name: 'mysite', timezone: 'UTC' });
    t.teardown(async () => {
      await Promise.all(this.#processes.map(kill));
      rmSync(this.directory, { recursive: true });
    });
  }

  configure(config: object): void {
    writeFileSync(join(this.directory, 'linod.config.json'), JSON.stringify(config));
  }

  get path(): string {
    return join(this.directory, 'log', 'lino.log');
  }

  async startWorker(): Promise<ChildProcess> {
    const worker = this.#spawn('worker', this.directory);
    await said(worker, 'ready');
    return worker;
  }

  program(name: string, count: number, ending: string): ChildProcess {
    return this.#spawn('program', this.directory, name, String(count), ending);
  }

  /** The texts of one program's records, in the log's order, once there are `count`. */
  async texts(name: string, count: number): Promise<string[]> {
    const giveUpAt = performance.now() + 30_000;
    for (;;) {
      const records = await readLog(this.path).catch(() => []);
      const own = records.filter((record) => record.sender?.startsWith(`${name}[`));
      if (own.length >= count || performance.now() > giveUpAt) return own.map((record) => record.text);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #spawn(...args: string[]): ChildProcess {
    const started = spawn(process.execPath, [...process.execArgv, child, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.stderr?.on('data', (data) => this.#t.comment(String(data).trimEnd()));
    this.#processes.push(started);
    return started;
  }
}

async function said(process: ChildProcess, word: string): Promise<void> {
  let text = '';
  for await (const data of process.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    text += String(data);
    if (text.includes(word)) return;
  }
  throw new Error(`it ended without having said ${word}`);
}

async function kill(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = once(process, 'exit');
  process.kill('SIGKILL');
  await ended;
}

function expected(name: string, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => `${name} ${i + 1}${(i + 1) % 10 === 0 ? '\nof two lines' : ''}`,
  );
}

t.test('a worker that is killed again and again costs no record and doubles none', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const site = new TestSite(t);
  const count = 4000;
  const names = ['web', 'api', 'cron'];
  let worker = await site.startWorker();
  const programs = names.map((name) => site.program(name, count, 'close'));
  const ended = Promise.all(programs.map((program) => once(program, 'exit')));
  for (let life = 0; life < 4; life++) {
    const some = random.whole(100, 900) * (life + 1);
    await site.texts(random.pick(names), Math.min(some, count));
    await kill(worker);
    worker = await site.startWorker();
  }
  t.strictSame(await ended, [
    [0, null],
    [0, null],
    [0, null],
  ]);
  for (const name of names) t.strictSame(await site.texts(name, count), expected(name, count));
});

t.test('without a worker records wait in the spool, however their program ends', async (t) => {
  const site = new TestSite(t);
  const codes = { close: 0, exit: 0, end: 0, throw: 1 };
  const endings = Object.entries(codes).map(async ([ending, code]) => {
    t.strictSame(await once(site.program(ending, 100, ending), 'exit'), [code, null], ending);
  });
  const terminated = site.program('term', 100, 'term');
  const killed = site.program('linger', 100, 'linger');
  await Promise.all([said(terminated, 'logged'), said(killed, 'logged')]);
  terminated.kill('SIGTERM');
  t.strictSame(await once(terminated, 'exit'), [null, 'SIGTERM']);
  await kill(killed);
  await Promise.all(endings);
  t.equal(readdirSync(join(site.directory, 'log', 'spool')).length, 6);

  await site.startWorker();
  for (const name of [...Object.keys(codes), 'term', 'linger']) {
    t.strictSame(await site.texts(name, 100), expected(name, 100), name);
  }
});

t.test('a program that never closes its logger ends by itself, with its records in the log', async (t) => {
  const site = new TestSite(t);
  await site.startWorker();
  const program = site.program('script', 50, 'end');
  t.strictSame(await once(program, 'exit'), [0, null]);
  const records = await readLog(site.path);
  t.equal(records.filter((record) => record.sender?.startsWith('script[')).length, 50);
});

t.test('a site that cannot be loaded is told, and its records wait', async (t) => {
  const site = new TestSite(t);
  site.configure({ name: 7 });
  const program = site.program('web', 10, 'close');
  let warning = '';
  program.stderr?.on('data', (data) => {
    warning += String(data);
  });
  t.strictSame(await once(program, 'exit'), [0, null]);
  t.match(warning, /LinodLogWarning: records wait in the spool, since the site .* cannot be loaded: .*name/);
  site.configure({ name: 'mysite' });
  await site.startWorker();
  t.strictSame(await site.texts('web', 10), expected('web', 10));
});
