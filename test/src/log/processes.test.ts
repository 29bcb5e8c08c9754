// The log of a whole site: real processes, a real layer, and the ways in which processes end.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { typescriptArg } from '../../support/fork-typescript.js';
import { readLog } from '../../support/log.js';
import { eventually, Program } from '../../support/programs.js';
import { Random } from '../../support/random.js';

const child = fileURLToPath(new URL('../../support/log-child.ts', import.meta.url));

class TestSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'linod-log-'));
  readonly #t: Test;

  constructor(t: Test) {
    this.#t = t;
    this.configure({ name: 'mysite', timezone: 'UTC' });
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 }));
  }

  configure(config: object): void {
    writeFileSync(join(this.directory, 'linod.config.json'), JSON.stringify(config));
  }

  async startWorker(): Promise<Program> {
    const worker = this.#start('worker', this.directory);
    await worker.printed(/ready/);
    return worker;
  }

  program(name: string, count: number, ending: string): Program {
    return this.#start('program', this.directory, name, String(count), ending);
  }

  #start(...args: readonly string[]): Program {
    return Program.start(this.#t, child, args, { nodeArgs: [typescriptArg] });
  }

  /** The texts of one program's records, in the log's order. */
  async texts(name: string): Promise<string[]> {
    const records = await readLog(join(this.directory, 'log', 'lino.log'));
    return records.filter((record) => record.sender?.startsWith(`${name}[`)).map((record) => record.text);
  }

  /** The same, once there are `count`. */
  async allTexts(name: string, count: number): Promise<string[]> {
    let texts: string[] = [];
    await eventually(`there are ${count} records of ${name}`, async () => {
      texts = await this.texts(name);
      return texts.length >= count;
    });
    return texts;
  }
}

async function killed(program: Program): Promise<void> {
  program.kill('SIGKILL');
  await program.ended();
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
  const count = 8000;
  const names = ['web', 'api', 'cron'];
  let worker = await site.startWorker();
  const programs = names.map((name) => site.program(name, count, 'close'));
  for (let life = 1; life <= 4; life++) {
    await site.allTexts(random.pick(names), random.whole(100, 400) * life);
    await killed(worker);
    worker = await site.startWorker();
  }
  for (const program of programs) t.match(await program.ended(), { code: 0, stderr: '' });
  for (const name of names) t.strictSame(await site.allTexts(name, count), expected(name, count), name);
});

t.test('without a worker records wait in the spool, however their program ends', async (t) => {
  const site = new TestSite(t);
  const codes = { close: 0, exit: 0, end: 0, throw: 1 };
  const endings = Object.entries(codes).map(async ([ending, code]) => {
    t.match(await site.program(ending, 100, ending).ended(), { code, signal: null }, ending);
  });
  const terminated = site.program('term', 100, 'term');
  const lingering = site.program('linger', 100, 'linger');
  await terminated.printed(/logged/);
  terminated.kill('SIGTERM');
  t.match(await terminated.ended(), { code: null, signal: 'SIGTERM' });
  await lingering.printed(/logged/);
  await killed(lingering);
  await Promise.all(endings);
  t.equal(readdirSync(join(site.directory, 'log', 'spool')).length, 6);

  await site.startWorker();
  for (const name of [...Object.keys(codes), 'term', 'linger']) {
    t.strictSame(await site.allTexts(name, 100), expected(name, 100), name);
  }
  await eventually(
    'the spool is empty',
    () => readdirSync(join(site.directory, 'log', 'spool')).length === 0,
  );
});

t.test('a program that never closes its logger ends by itself, with its records in the log', async (t) => {
  const site = new TestSite(t);
  await site.startWorker();
  t.match(await site.program('script', 50, 'end').ended(), { code: 0, stderr: '' });
  t.strictSame(await site.texts('script'), expected('script', 50));
});

t.test('a site that cannot be loaded is told, and its records wait', async (t) => {
  const site = new TestSite(t);
  site.configure({ name: 7 });
  const { code, stderr } = await site.program('web', 10, 'close').ended();
  t.equal(code, 0);
  t.match(stderr, /LinodLogWarning: records wait in the spool, since the site .* cannot be loaded: .*name/);
  site.configure({ name: 'mysite' });
  await site.startWorker();
  t.strictSame(await site.allTexts('web', 10), expected('web', 10));
});
