// Levels that are changed while programs run: a web server that is idle, one that is suspended, runs, and the worker.

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { CommandShell, type Outcome } from '../support/command-shell.js';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually, logModuleUrl, Program } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

/** Logs one DEBUG record for each line of its standard input, and is idle otherwise. */
const talker = `import { createInterface } from 'node:readline';
import { createLogger } from '${logModuleUrl}';
const logger = createLogger({ site: import.meta.dirname, name: process.argv[2], level: process.argv[3] });
const orders = logger.child('orders');
logger.info('hello');
await logger.flush();
console.log('ready');
createInterface(process.stdin).on('line', (line) => {
  const wanted = orders.isEnabledFor('DEBUG');
  orders.debug(() => 'asked for ' + line);
  console.log(line + ' ' + (wanted ? 'logged' : 'dropped'));
});
`;

const work = `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type BaseRequest, schedule } from 'linod';
async function talk(ar: BaseRequest) {
  while (!existsSync(ar.site.directory + '/go')) {
    ar.logger.child('deep').debug(ar.user + ' is deep in a run');
    await setTimeout(20);
  }
}
for (const runIn of ['inline', 'thread', 'process'] as const)
  schedule('@yearly', { runIn, name: 'talk_' + runIn }, talk);
`;

const shell = await CommandShell.start(t, process.cwd());

/** Runs `linod log level` for a site. */
function level(site: LiveSite, ...words: readonly string[]): Promise<Outcome> {
  return shell.run(['linod', 'log', 'level', ...words, '--site', site.directory]);
}

/** A program that is idle until it is asked. */
class Talker {
  readonly program: Program;
  #asked = 0;

  constructor(t: Parameters<typeof Program.start>[0], site: LiveSite, ...args: string[]) {
    this.program = Program.start(t, site.path('talker.mjs'), args);
  }

  async isLogged(): Promise<boolean> {
    const word = `word${++this.#asked}`;
    this.program.tell(word);
    return (await this.program.printed(new RegExp(`^${word} `))).endsWith('logged');
  }
}

onBothLayers(
  'a level reaches programs that run, are idle, suspended or start later, and ends by itself',
  async (t, layer) => {
    const site = new LiveSite(t, { ...layer.config, files: { 'talker.mjs': talker } });
    const [shop, strict, asleep] = [
      new Talker(t, site, 'shop'),
      new Talker(t, site, 'strict', 'ERROR'),
      new Talker(t, site, 'asleep'),
    ];
    for (const { program } of [shop, strict, asleep]) await program.printed(/^ready$/);
    t.equal(await shop.isLogged(), false);
    asleep.program.kill('SIGSTOP');
    // No worker runs: nobody but the programs themselves has to live for it.
    const { code, stdout, stderr } = await level(
      site,
      'shop.orders=DEBUG',
      'strict=debug',
      'asleep=10',
      '--for',
      '1h',
    );
    t.equal(code, 0);
    t.match(
      stderr,
      `applied by 2 on this machine: shop[${shop.program.pid}], strict[${strict.program.pid}]\n`,
    );
    t.match(
      stdout,
      /^LOGGER +LEVEL +UNTIL +BY\nroot +INFO +settings\nasleep +DEBUG +20\S+ +\S+\nshop\.orders +DEBUG +20\S+ +\S+\nstrict +DEBUG +20/,
    );
    t.ok(await shop.isLogged(), 'one that is idle');
    t.ok(await strict.isLogged(), 'one whose code says something else');
    asleep.program.kill('SIGCONT');
    await eventually('one that was suspended has it', () => asleep.isLogged());
    const late = new Talker(t, site, 'shop');
    await late.program.printed(/^ready$/);
    t.ok(await late.isLogged(), 'one that starts later');

    t.match(await level(site, '--reset', 'shop.orders'), {
      code: 0,
      stderr: /^applied by 4 on this machine: /,
    });
    t.equal(await shop.isLogged(), false);
    t.ok(await strict.isLogged(), 'the others stay');
    t.match(await level(site, 'DEBUG', '--for', '1s'), { code: 0 });
    await eventually('it has ended though nobody said so', async () => !(await shop.isLogged()));
    t.match(JSON.parse((await level(site, '--json')).stdout), [
      { logger: 'root', level: 'INFO', until: null, by: 'settings' },
      { logger: 'asleep', level: 'DEBUG' },
      { logger: 'strict', level: 'DEBUG' },
    ]);
    t.match(await level(site, '--reset'), {
      code: 0,
      stdout: /^LOGGER +LEVEL +UNTIL +BY\nroot +INFO +settings\n$/,
    });
    t.match(await level(site, '--reset'), {
      code: 0,
      stderr: 'no level was set here\n',
    });
    t.notOk(
      readdirSync(site.path('log')).some((name) => /levels\.heard|draft/.test(name)),
      'nothing is left over',
    );

    await site.startWorker('--initiate');
    await site.logged(/^asked for word2$/);
  },
);

t.test('a level reaches the worker and its runs on its loop, in threads and in processes', async (t) => {
  const site = new LiveSite(t, {
    files: { 'procedures/work.ts': work },
    logLevels: { procedures: 'WARNING' },
  });
  await site.startWorker('--initiate');
  for (const rule of ['1', '2', '3']) await site.linod('rule', rule, 'run');
  for (const procedure of ['talk_inline', 'talk_thread', 'talk_process'])
    await site.untilJobs(procedure, 'it runs', (jobs) => jobs.some(({ status }) => status === 'running'));
  t.match(await level(site, 'procedures=DEBUG', '--for', '1h'), { code: 0 });
  for (const procedure of ['talk_inline', 'talk_thread', 'talk_process'])
    await eventually(`${procedure} is heard`, async () => {
      const { readFile } = await import('node:fs/promises');
      return (await readFile(site.logFile, 'utf8')).includes(` procedures.${procedure}.deep: `);
    });
  t.match(readFileSync(site.path('log/levels.json'), 'utf8'), '"name":"procedures","level":"DEBUG"');
  site.write({ go: '' });
  for (const procedure of ['talk_inline', 'talk_thread', 'talk_process'])
    await site.untilJobs(procedure, 'it is done', (jobs) => jobs.some(({ status }) => status === 'done'));
});

t.test('over Redis a level reaches other machines, here told apart by their log directories', async (t) => {
  const { url } = await RedisServer.start(t);
  const files = { 'talker.mjs': talker };
  const [here, there, alone] = [0, 1, 2].map(() => new LiveSite(t, { channelLayer: url, files })) as [
    LiveSite,
    LiveSite,
    LiveSite,
  ];
  await here.startWorker('--initiate');
  await there.startWorker();
  const idle = new Talker(t, there, 'shop');
  await idle.program.printed(/^ready$/);
  t.equal(await idle.isLogged(), false);
  t.match(await level(here, 'shop.orders=DEBUG', '--for', '1h'), { code: 0 });
  await eventually('one that is idle beside a worker has it', () => idle.isLogged());
  const late = new Talker(t, alone, 'shop');
  await late.program.printed(/^ready$/);
  await eventually('one that is alone has it after its first record', () => late.isLogged());
  t.match((await level(there)).stdout, /shop\.orders +DEBUG/);
  t.match(await level(there, '--reset'), { code: 0 });
  await eventually('it is taken back everywhere', async () => !(await idle.isLogged()));
});

t.test('LINO_LOGLEVEL is stronger than the level of the site, and weaker than that of a name', async (t) => {
  const site = new LiveSite(t, {
    files: { 'talker.mjs': talker },
    logLevel: 'INFO',
    logLevels: { quiet: 'ERROR' },
  });
  const environment = { LINO_LOGLEVEL: 'DEBUG' };
  for (const [name, wanted] of [
    ['shop', true],
    ['quiet', false],
  ] as const) {
    const program = Program.start(t, site.path('talker.mjs'), [name], { environment });
    await program.printed(/^ready$/);
    program.tell('word');
    t.equal(await program.printed(/^word /), `word ${wanted ? 'logged' : 'dropped'}`);
  }
  // Also when the program is over before its site is known.
  site.write({
    'short.mjs': `import { createLogger } from '${logModuleUrl}';
createLogger({ site: import.meta.dirname, name: 'short' }).debug('in short');
process.exit(0);
`,
  });
  await Program.start(t, site.path('short.mjs'), [], { environment }).ended();
  await site.startWorker('--initiate');
  await site.logged(/^in short$/);
});

t.test('what makes no sense is refused in one line, with exit code 2', async (t) => {
  const site = new LiveSite(t);
  for (const [words, message] of [
    [['shop=LOUD'], 'expected a log level (DEBUG, INFO, WARNING, ERROR, CRITICAL), got: "LOUD"'],
    [['shop'], 'expected a log level (DEBUG, INFO, WARNING, ERROR, CRITICAL), got: "shop"'],
    [
      ['shop orders=DEBUG'],
      `expected a logger's name, dotted, of letters, digits, "_", "@", "+" and "-", such as "shop.orders" (or "root" for all), got: "shop orders"`,
    ],
    [['../x=DEBUG'], /^linod: expected a logger's name, .* got: "\.\.\/x"\n$/],
    [['a=DEBUG', 'a=INFO'], 'two levels for "a"'],
    [
      ['a=DEBUG', '--for', 'ever'],
      'expected --for to be a time such as 90s, 15m, 1h30m or 2d, from 1 s to 366 d, got: "ever"',
    ],
    [['a=DEBUG', '--for', '400d'], /400d/],
    [['--for', '15m'], '--for needs a level: linod log level shop.orders=DEBUG --for 15m'],
    [['a', '--reset', '--for', '15m'], '--reset removes levels at once; it takes no --for'],
    [['a=DEBUG', '--reset'], '--reset takes names without levels, got: "a=DEBUG"'],
  ] as const) {
    const stderr = typeof message === 'string' ? `linod: ${message}\n` : message;
    t.match(await level(site, ...words), { code: 2, stdout: '', stderr }, words.join(' '));
  }
});
