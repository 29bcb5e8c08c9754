// The log of a whole site: real processes, a real layer, and the ways in which processes end.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { SiteConfig } from '../../../src/site/site.js';
import { LiveSite } from '../../support/live-site.js';
import { eventually, logModuleUrl, Program } from '../../support/programs.js';
import { Random } from '../../support/random.js';

/** `program.mjs NAME COUNT ENDING` logs so many records, then ends in one of the ways below. */
const program = `import { setTimeout } from 'node:timers/promises';
import { createLogger } from '${logModuleUrl}';
const [name, count, ending] = process.argv.slice(2);
const logger = createLogger({ site: import.meta.dirname, name });
for (let n = 1; n <= Number(count); n++) {
  logger.info(name + ' ' + n + (n % 10 === 0 ? '\\nof two lines' : ''));
  // A program lives while it logs; this is no wait for anything.
  if (ending === 'close' && n % 20 === 0) await setTimeout(2);
}
const wait = () => {
  setInterval(() => {}, 1000);
  console.log('logged');
};
const endings = {
  close: () => logger.close(),
  end: () => {},
  exit: () => process.exit(0),
  throw: () => {
    throw new Error('on purpose');
  },
  // Until the test ends it: at once, or when what it logged is on disk, since a kill may cost the last 50 ms.
  term: wait,
  linger: () => logger.flush().then(wait),
};
await endings[ending]();
`;

/** Makes its first logger when it is about to end. */
const late = `import { createLogger } from '${logModuleUrl}';
process.on('exit', () => {
  const logger = createLogger({ site: import.meta.dirname, name: 'late' });
  for (const n of [1, 2]) logger.info('late ' + n);
});
`;

class LoggingSite extends LiveSite {
  readonly #t: Test;

  constructor(t: Test, config: SiteConfig = {}) {
    super(t, { ...config, files: { 'program.mjs': program, 'late.mjs': late } });
    this.#t = t;
  }

  program(name: string, count: number, ending: string): Program {
    return Program.start(this.#t, this.path('program.mjs'), [name, String(count), ending]);
  }

  /** The texts of one program's records, in the log's order. */
  async texts(name: string): Promise<string[]> {
    const records = await this.currentRecords();
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

  spooled(): string[] {
    const spool = this.path('log/spool');
    return existsSync(spool) ? readdirSync(spool) : [];
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
  const site = new LoggingSite(t);
  const count = 3000;
  const names = ['web', 'api', 'cron'];
  let worker = await site.startWorker('--initiate');
  const programs = names.map((name) => site.program(name, count, 'close'));
  for (let life = 1; life <= 3; life++) {
    await site.allTexts(random.pick(names), random.whole(100, 400) * life);
    await killed(worker);
    worker = await site.startWorker();
  }
  for (const program of programs) t.match(await program.ended(), { code: 0, stderr: '' });
  for (const name of names) t.strictSame(await site.allTexts(name, count), expected(name, count), name);
});

t.test('without a worker records wait in the spool, however their program ends', async (t) => {
  const site = new LoggingSite(t);
  const codes = { close: 0, exit: 0, end: 0, throw: 1 };
  const endings = Object.entries(codes).map(async ([ending, code]) => {
    t.match(await site.program(ending, 100, ending).ended(), { code, signal: null }, ending);
  });
  t.match(await Program.start(t, site.path('late.mjs')).ended(), { code: 0, stderr: '' });
  const terminated = site.program('term', 100, 'term');
  const lingering = site.program('linger', 100, 'linger');
  await terminated.printed(/logged/);
  terminated.kill('SIGTERM');
  t.match(await terminated.ended(), { code: null, signal: 'SIGTERM' });
  await lingering.printed(/logged/);
  await killed(lingering);
  await Promise.all(endings);
  t.equal(site.spooled().length, 7);

  await site.startWorker('--initiate');
  for (const name of [...Object.keys(codes), 'term', 'linger']) {
    t.strictSame(await site.allTexts(name, 100), expected(name, 100), name);
  }
  t.strictSame(await site.allTexts('late', 2), expected('late', 2));
  await eventually('the spool is empty', () => site.spooled().length === 0);
});

t.test(
  'records of a process that ends before it has read the site are written like all others',
  async (t) => {
    const site = new LoggingSite(t, { logFormat: 'json', timezone: 'Asia/Tokyo' });
    await site.startWorker('--initiate');
    await eventually('the writer has begun', () => existsSync(site.path('log/writer.checkpoint')));
    t.match(await Program.start(t, site.path('late.mjs')).ended(), { code: 0, stderr: '' });
    t.strictSame(await site.allTexts('late', 2), expected('late', 2));
    for (const line of readFileSync(site.path('log/lino.log'), 'utf8').trimEnd().split('\n'))
      t.match(line, /^\{"time":"[^"]*\+09:00",/);
  },
);

t.test('a program that never closes its logger ends by itself, with its records in the log', async (t) => {
  const site = new LoggingSite(t);
  await site.startWorker('--initiate');
  t.match(await site.program('script', 50, 'end').ended(), { code: 0, stderr: '' });
  t.strictSame(await site.texts('script'), expected('script', 50));
});

t.test('a site that cannot be loaded is reported, and its records wait', async (t) => {
  const site = new LoggingSite(t);
  site.write({ 'linod.config.json': '{"name":7}' });
  const { code, stderr } = await site.program('web', 10, 'close').ended();
  t.equal(code, 0);
  t.match(stderr, /LinodLogWarning: records wait in the spool, since the site .* cannot be loaded: .*name/);
  site.write({ 'linod.config.json': '{"name":"test","timezone":"UTC"}' });
  await site.startWorker('--initiate');
  t.strictSame(await site.allTexts('web', 10), expected('web', 10));
});
