// What a programmer gets of the package: typed arguments, loggers in unit tests, the stack of a failed job.

import t from 'tap';
import { testDirectory } from '../support/directory.js';
import { LiveSite } from '../support/live-site.js';
import { logModuleUrl, Program } from '../support/programs.js';

t.test(
  'a logger without a site writes to stderr, and says why; a site that was named has to be there',
  async (t) => {
    const directory = testDirectory(t, {
      'unit.mjs': `import { createLogger } from '${logModuleUrl}';
const logger = createLogger({ name: 'shop' });
logger.debug('too quiet');
logger.child('orders').info('paid', { order: 17 });
await logger.flush();
await logger.close();
`,
    });
    const run = (environment: Record<string, string>) =>
      Program.start(t, `${directory}/unit.mjs`, [], { cwd: directory, environment }).ended();
    const { code, stderr } = await run({});
    t.equal(code, 0);
    t.match(stderr, /LinodLogWarning: records go to stderr: no linod\.config\.ts/);
    t.match(stderr, /^INFO shop\.orders: paid \{"order":17\}$/m);
    t.notMatch(stderr, 'too quiet');
    t.match(await run({ LINO_LOGLEVEL: 'DEBUG' }), { stderr: /^DEBUG shop: too quiet$/m });
    t.match(await run({ LINOD_SITE: '/nowhere' }), { code: 1, stderr: /LINOD_ERR_NO_SITE/ });
  },
);

t.test('errors of library calls name no flags of commands', async (t) => {
  const directory = testDirectory(t, {
    'calls.mjs': `import { createLogger } from '${logModuleUrl}';
import { findSiteDirectory, loadSite } from '${new URL('../index.js', logModuleUrl)}';
import { openTestSite } from '${new URL('../testing.js', logModuleUrl)}';
for (const call of [
  () => createLogger({ site: '/nowhere' }),
  () => createLogger({ site: import.meta.dirname }),
  () => findSiteDirectory(),
  () => loadSite('/nowhere'),
  () => openTestSite({ maxJobs: 0 }),
]) await Promise.resolve().then(call).catch((error) => console.log(error.code, error.message));
`,
  });
  const { stdout } = await Program.start(t, `${directory}/calls.mjs`, [], { cwd: directory }).ended();
  const none = `LINOD_ERR_NO_SITE no linod.config.ts, .js, .mjs or .json in ${directory}`;
  const nowhere = 'LINOD_ERR_NO_SITE no directory /nowhere';
  t.same(stdout.split('\n'), [
    nowhere,
    `${none}; make a site: linod init mysite`,
    `${none} or above it; name the site's directory, for example in LINOD_SITE, or make a site: linod init mysite`,
    nowhere,
    'LINOD_ERR_BAD_CONFIG openTestSite: maxJobs: expected a whole number from 1 to 1000, got: 0',
    '',
  ]);
});

for (const runIn of ['inline', 'thread', 'process']) {
  t.test(
    `arguments come parsed, ar.error logs, and a stack begins in the site's file, ${runIn}`,
    async (t) => {
      const site = new LiveSite(t, {
        files: {
          'procedures/pay.ts': `import { scheduleDaily } from 'linod';
interface Order { order: number }
function parseArgs(args: unknown): Order {
  const order = Number((args as Partial<Order> | null)?.order);
  if (order > 0) return { order };
  throw new Error('expected the number of an order');
}
scheduleDaily({ parseArgs, runIn: '${runIn}', onFailure: 'continue' }, async function pay(ar) {
  ar.error('cannot pay', { order: ar.args.order + 1 });
  throw new TypeError('no money');
});
`,
        },
      });
      const worker = await site.startWorker('--initiate');
      await site.run('linod', 'rule', 'pay', 'run', '--wait', '--args', '{"order":16}');
      const shown = (await site.run('linod', 'job', '1')).stdout;
      t.match(shown, /ERROR cannot pay \{"order":17\}/);
      const stacks = shown.split('\n').filter((line) => line.trim().startsWith('at '));
      t.match(stacks[0], /procedures\/pay\.ts:10/);
      t.equal(shown.match(/TypeError: no money\n/g)?.length, 2, 'the message, and the line with the stack');
      t.equal(stacks.filter((line) => line.includes('pay.ts:10')).length, 1, 'the stack is there once');
      t.notMatch(shown, '/dist/', 'linod itself is not in it');

      const refused = await site.run('linod', 'rule', 'pay', 'run', '--wait', '--args', '{"order":"x"}');
      t.match(refused, { code: 1, stdout: /failed: Error: expected the number of an order/ });
      worker.kill('SIGTERM');
      t.match(await worker.ended(), { code: 0 });
    },
  );
}
