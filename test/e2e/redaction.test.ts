// The setting `redact` holds for every logger of a site that has no option `redact`.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { logModuleUrl, Program } from '../support/programs.js';

const work = `import { type BaseRequest, schedule } from 'linod';
async function talk(ar: BaseRequest) {
  ar.logger.info('in a run', { password: 'hunter2', n: 1 });
}
for (const runIn of ['inline', 'thread', 'process'] as const)
  schedule('@yearly', { runIn, name: 'talk_' + runIn }, talk);
`;

const application = `import { createLogger } from '${logModuleUrl}';
const site = import.meta.dirname;
createLogger({ site, name: 'web' }).child('early', { password: 'hunter2' }).info('by the site', { n: 2 });
createLogger({ site, name: 'web', redact: ['n'] }).info('by its own', { password: 'shown', n: 3 });
`;

t.test('runs, wherever they run, and applications hide what the site names', async (t) => {
  const files = { 'procedures/work.ts': work, 'web.mjs': application };
  const site = new LiveSite(t, { redact: ['password'], files });
  await site.startWorker('--initiate');
  t.match(await Program.start(t, site.path('web.mjs')).ended(), { code: 0 });
  t.match((await site.logged(/^by the site/)).text, '{"password":"[redacted]","n":2}');
  t.match((await site.logged(/^by its own/)).text, '{"password":"shown","n":"[redacted]"}');
  for (const procedure of ['talk_inline', 'talk_thread', 'talk_process']) {
    await site.linod('rule', procedure, 'run', '--wait');
    const [job] = await site.jobs(procedure);
    const lines = await site.linod('job', String(job?.id));
    t.match(lines, 'in a run {"password":"[redacted]","n":1}', procedure);
  }
  t.notMatch(JSON.stringify(await site.records()), 'hunter2');
});
