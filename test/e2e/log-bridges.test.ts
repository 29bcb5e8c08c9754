// pino, winston and the console as they are used: in programs of their own, under a worker that writes their records down.

import { readFile } from 'node:fs/promises';
import t from 'tap';
import { faults, LiveSite } from '../support/live-site.js';
import { logModuleUrl, Program } from '../support/programs.js';

const pinoUrl = new URL('bridges/pino.js', logModuleUrl).href;
const winstonUrl = new URL('bridges/winston.js', logModuleUrl).href;

const withPino = `import pino from '${import.meta.resolve('pino')}';
const [ending, count] = process.argv.slice(2);
const options = { site: import.meta.dirname, name: 'web', redact: ['password'] };
const logger = pino({ level: 'trace' }, pino.transport({ target: '${pinoUrl}', options }));
if (ending === 'all kinds') {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  logger.trace('a trace');
  logger.debug({ n: 1 }, 'a detail');
  logger.info({ password: 'p1', time: at }, 'long ago');
  logger.warn('a warning');
  logger.error(Object.assign(new RangeError('outer', { cause: new TypeError('inner') }), { code: 'E_FAR' }), 'failed');
  logger.error(new AggregateError([new SyntaxError('one of them')], 'many'));
  logger.fatal('the end');
  logger.child({ name: 'shop.orders', tenant: 7 }).info('paid\\nin two lines');
  logger.child({ name: 'a b' }).info('a name that needs care');
  await new Promise((resolve) => logger.flush(resolve));
  console.log('flushed');
  process.stdin.once('data', () => process.exit(0));
} else {
  for (let n = 1; n <= Number(count); n++) logger.info('record ' + n);
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') throw new Error('on purpose');
}
`;

const withWinston = `import { finished } from 'node:stream/promises';
import winston from '${import.meta.resolve('winston')}';
import { LinodTransport } from '${winstonUrl}';
const [ending, count] = process.argv.slice(2);
const transport = new LinodTransport({ site: import.meta.dirname, name: 'web', redact: ['password'], levelMap: { audit: 'WARNING' } });
const levels = { ...winston.config.npm.levels, audit: 3 };
const logger = winston.createLogger({ level: 'silly', levels, transports: [transport], exitOnError: true });
if (ending === 'all kinds') {
  logger.silly('a trace');
  logger.verbose('a detail', { n: 1 });
  logger.info('long ago', { timestamp: '2026-01-02T03:04:05.678Z', password: 'p1' });
  logger.warn('a warning');
  logger.log('audit', 'its own level');
  logger.error('failed', Object.assign(new RangeError('outer'), { code: 'E_FAR' }));
  logger.error(new TypeError('alone'));
  logger.child({ name: 'shop.orders', tenant: 7 }).info('paid\\nin two lines');
  logger.end();
  await finished(transport);
  console.log('flushed');
} else {
  if (ending === 'throw') transport.handleExceptions = true, logger.exceptions.handle();
  for (let n = 1; n <= Number(count); n++) logger.info('record ' + n);
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') throw new Error('on purpose');
  logger.end();
}
`;

const withConsole = `import { captureConsole, createLogger } from '${logModuleUrl}';
const undo = captureConsole(createLogger({ site: import.meta.dirname, name: 'web', level: 'DEBUG' }));
console.log('%d of %s', 3, 'ten', { a: 1 });
console.info('info');
console.debug('debug');
console.warn('warn');
console.error(new RangeError('alone'));
console.assert(false, 'asserted');
undo();
console.log('printed again');
`;

const site = new LiveSite(t, {
  files: { 'pino.mjs': withPino, 'winston.mjs': withWinston, 'console.mjs': withConsole },
  logLevel: 'DEBUG',
});
await site.startWorker('--initiate');
const start = (name: string, ...args: string[]) => Program.start(t, site.path(name), args);

/** The records of one program, whole, without its number, when there are so many of them. */
async function recordsOf(program: Program, count: number): Promise<string[]> {
  const label = `web[${program.pid}]`;
  await site.untilRecords(program, 'web', count);
  const text = await readFile(site.logFile, 'utf8');
  return text
    .split(/\n(?=\d)/)
    .filter((record) => record.includes(` ${label}#`))
    .map((record) => record.replace(label, '').trimEnd());
}

t.test('what pino logs arrives with level, time, name, fields and stack', async (t) => {
  const program = start('pino.mjs', 'all kinds');
  await program.printed(/^flushed$/);
  const lines = await recordsOf(program, 9);
  const wanted = [
    / DEBUG #1 web: a trace$/,
    / DEBUG #2 web: a detail \{"n":1\}$/,
    /^2026-01-02 03:04:05\.678\+00:00 INFO #3 web: long ago \{"password":"\[redacted\]"\}$/,
    / WARNING #4 web: a warning$/,
    / ERROR #5 web: failed \{"err":\{"type":"RangeError","code":"E_FAR"\}\} \n {4}RangeError: outer \n[\s\S]*caused by: TypeError: inner \n/,
    / ERROR #6 web: many \n {4}AggregateError: many \n[\s\S]*SyntaxError: one of them \n/,
    / CRITICAL #7 web: the end$/,
    / INFO #8 shop\.orders: paid \{"tenant":7\} \n {4}in two lines$/,
    / INFO #9 a_b: a name that needs care$/,
  ];
  for (const [i, pattern] of wanted.entries()) t.match(lines[i], pattern);
  program.kill('SIGKILL');
});

t.test('what winston logs arrives with level, time, name, fields and stack', async (t) => {
  const program = start('winston.mjs', 'all kinds');
  await program.printed(/^flushed$/);
  const lines = await recordsOf(program, 8);
  const wanted = [
    / DEBUG #1 web: a trace$/,
    / DEBUG #2 web: a detail \{"n":1\}$/,
    /^2026-01-02 03:04:05\.678\+00:00 INFO #3 web: long ago \{"password":"\[redacted\]"\}$/,
    / WARNING #4 web: a warning$/,
    / WARNING #5 web: its own level$/,
    / ERROR #6 web: failed outer \{"code":"E_FAR"\} \n {4}RangeError: outer \n {8}at /,
    / ERROR #7 web: alone \n {4}TypeError: alone \n {8}at /,
    / INFO #8 shop\.orders: paid \{"tenant":7\} \n {4}in two lines$/,
  ];
  t.equal(lines.length, wanted.length);
  for (const [i, pattern] of wanted.entries()) t.match(lines[i], pattern);
  t.match(await program.ended(), { code: 0, stderr: '' });
});

for (const [library, ending, code] of [
  ['pino', 'end', 0],
  ['pino', 'exit', 0],
  ['pino', 'throw', 1],
  ['winston', 'end', 0],
  ['winston', 'exit', 0],
  ['winston', 'throw', 1],
] as const) {
  t.test(
    `each record of ${library} is there once and in order when its program comes to its ${ending}`,
    async (t) => {
      const count = 3000;
      const program = start(`${library}.mjs`, ending, String(count));
      t.match(await program.ended(), { code });
      // winston also logs what nobody caught.
      const more = library === 'winston' && ending === 'throw' ? 1 : 0;
      await site.untilRecords(program, 'web', count + more);
      const records = await site.records();
      const own = records.filter(({ text }) => more === 0 || text.startsWith('record '));
      t.same(faults(own, `web[${program.pid}]`, count), []);
    },
  );
}

t.test('what is said on the console is logged as the console would print it', async (t) => {
  const program = start('console.mjs');
  t.match(await program.ended(), { code: 0, stdout: 'printed again\n', stderr: '' });
  const lines = await recordsOf(program, 6);
  const wanted = [
    / INFO #1 web: 3 of ten \{ a: 1 \}$/,
    / INFO #2 web: info$/,
    / DEBUG #3 web: debug$/,
    / WARNING #4 web: warn$/,
    / ERROR #5 web: RangeError: alone \n {8}at /,
    / WARNING #6 web: Assertion failed: asserted$/,
  ];
  for (const [i, pattern] of wanted.entries()) t.match(lines[i], pattern);
});
