// pino and winston in programs that log much faster than anybody takes their records.

import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually, logModuleUrl, Program } from '../support/programs.js';

/** Some 130 MB, of which the spool takes 8. */
const count = 60_000;

const makeLogger = {
  pino: `import pino from '${import.meta.resolve('pino')}';
const target = '${new URL('bridges/pino.js', logModuleUrl).href}';
const logger = pino({ level: 'debug' }, pino.transport({ target, options: { site: import.meta.dirname, name: 'web' } }));
const wait = () => new Promise((resolve) => logger.flush(resolve));
const end = wait;
`,
  winston: `import { finished } from 'node:stream/promises';
import { setImmediate as wait } from 'node:timers/promises';
import winston from '${import.meta.resolve('winston')}';
import { LinodTransport } from '${new URL('bridges/winston.js', logModuleUrl).href}';
const transport = new LinodTransport({ site: import.meta.dirname, name: 'web' });
const logger = winston.createLogger({ level: 'debug', transports: [transport] });
const end = () => {
  logger.end();
  return finished(transport);
};
`,
};

const log = `import { existsSync } from 'node:fs';
const padding = ' ' + 'x'.repeat(2000);
const rssMb = () => process.memoryUsage.rss() / 2 ** 20;
let early = 0;
// Until the site is read and the first record spooled, nobody knows how large the spool is.
logger.info('begins');
while (!existsSync(import.meta.dirname + '/log/spool')) await new Promise((resolve) => setTimeout(resolve, 5));
for (let n = 1; n <= ${count}; n++) {
  const level = n % 100 === 0 ? 'warn' : n % 10 === 0 ? 'info' : 'debug';
  logger[level]('record ' + n + padding);
  if (n % 500 === 0) await wait();
  if (n === ${count / 10}) early = rssMb();
}
console.log('grown by ' + Math.round(rssMb() - early));
await end();
process.exit();
`;

for (const library of ['pino', 'winston'] as const) {
  t.test(
    `${library} without a writer takes bounded memory; DEBUG is dropped first, then INFO, each counted`,
    async (t) => {
      const site = new LiveSite(t, {
        files: { 'program.mjs': makeLogger[library] + log },
        logLevel: 'DEBUG',
        logSpoolMegabytes: 8,
      });
      const program = Program.start(t, site.path('program.mjs'));
      const { code, stdout, stderr } = await program.ended();
      t.match({ code, stderr }, { code: 0, stderr: '' });
      t.ok(Number(/^grown by (-?\d+)$/m.exec(stdout)?.[1]) < 60, stdout.trim());

      await site.startWorker('--initiate');
      const spool = site.path('log/spool');
      await eventually('all is in the log', async () => {
        const names = existsSync(spool) ? readdirSync(spool) : [];
        return !names.some((name) => name.startsWith('web'));
      });
      const text = await readFile(site.logFile, 'utf8');
      const numbers = (level: string) =>
        Array.from(
          text.matchAll(new RegExp(`^\\S+ \\S+ ${level} web\\S+ web: record (\\d+)`, 'gm')),
          ([, n]) => Number(n),
        );
      const dropped = (level: string) =>
        Array.from(
          text.matchAll(/ dropped here, .*(\{.*\})$/gm),
          ([, counts = '{}']) => JSON.parse(counts)[level] ?? 0,
        ).reduce((sum: number, n: number) => sum + n, 0);
      const [debug, info, warning] = [numbers('DEBUG'), numbers('INFO'), numbers('WARNING')];
      t.strictSame(
        warning,
        Array.from({ length: count / 100 }, (_, i) => (i + 1) * 100),
      );
      t.equal(info.length + dropped('INFO'), (count / 100) * 9);
      t.equal(debug.length + dropped('DEBUG'), (count / 10) * 9);
      t.ok((debug.at(-1) ?? 0) < (info.at(-1) ?? 0), 'INFO goes on when DEBUG has ended');
      t.ok((info.at(-1) ?? 0) < count - 100, 'and ends, too');
      t.strictSame(
        debug,
        Array.from(debug).sort((a, b) => a - b),
      );
    },
  );
}
