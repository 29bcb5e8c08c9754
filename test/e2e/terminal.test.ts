// What a person meets at a terminal: tables that fit into it, and Ctrl-C.

import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually, type Program, scriptPath } from '../support/programs.js';

const files = {
  'procedures/work.ts': `import { setTimeout } from 'node:timers/promises';
import { scheduleDaily, type BaseRequest } from 'linod';
import { registerChecker } from 'linod/procedures';
scheduleDaily(function send_all_the_invoices_of_the_last_month() {
  throw new Error('the printer on the second floor has run out of paper, and nobody is there to bring more of it');
});
scheduleDaily(async function wait(ar: BaseRequest) {
  ar.info('waiting');
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve, { once: true }));
});
registerChecker({
  name: 'rules_are_watched',
  table: 'job_rules',
  async check(_row, ar) {
    ar.warning('watching');
    await setTimeout(600_000, undefined, { signal: ar.signal }).catch(() => undefined);
    return [];
  },
});
`,
};

const hasTerminal = spawnSync('script', ['--version']).status === 0;

t.test(
  'tables fit a terminal of 80 columns; a pipe gets all',
  { skip: hasTerminal ? false : 'script(1) is not there to make a terminal' },
  async (t) => {
    const site = new LiveSite(t, { files, shippedProcedures: true });
    await site.startWorker('--initiate');
    await site.run('linod', 'rule', 'send_all_the_invoices_of_the_last_month', 'run', '--wait');
    await site.linod(
      'channels',
      'send',
      'orders',
      JSON.stringify({ type: 'order.paid', text: 'x'.repeat(200) }),
    );
    const inTerminal = (words: string) => {
      const command = `stty cols 80; exec env -u NODE_OPTIONS TERM=dumb ${process.execPath} ${scriptPath('linod')} ${words}`;
      const { stdout } = spawnSync('script', ['-qefc', command, '/dev/null'], { cwd: site.directory });
      return String(stdout).split('\r\n');
    };
    for (const words of [
      'rules',
      'jobs',
      'procedures',
      'workers',
      'channels',
      'channels peek orders',
      'rule 1 history',
    ]) {
      const lines = inTerminal(words);
      t.ok(lines.length > 2, words);
      t.same(
        lines.filter((line) => line.length > 80),
        [],
        words,
      );
    }
    const cut = /^ *\d+ +#\d+ +send_all_the\S*… +2\S+:\S+… .* failed +Error: the \S.*…$/;
    t.ok(
      inTerminal('jobs').some((line) => cut.test(line)),
      'each column keeps something',
    );
    t.match(await site.linod('jobs'), /send_all_the_invoices_of_the_last_month .* bring more of it$/m);
  },
);

t.test('Ctrl-C ends every command that waits or follows with 130', async (t) => {
  const site = new LiveSite(t, { files });
  await site.startWorker('--initiate');
  const run = site.start('linod', 'rule', 'wait', 'run', '--wait');
  await site.untilJobs('wait', 'it runs', (jobs) => jobs.some(({ status }) => status === 'running'));
  const follow = site.start('linod', 'job', '1', '--follow');
  const tail = site.start('linod', 'log', 'tail', '-f');
  const check = site.start('linod', 'checkdata');
  for (const program of [follow, tail]) await program.printed(/waiting/);
  await check.printed(/watching/);
  for (const program of [run, follow, tail, check]) t.equal(await afterCtrlC(program), 130);
  t.match(await check.ended(), { stderr: /\nended by a signal before the work was done\n$/ });
  await eventually('the run goes on', async () => (await site.jobs('wait'))[0]?.status === 'running');
});

/** The exit code as a shell reports it. */
async function afterCtrlC(program: Program): Promise<number | null> {
  program.kill('SIGINT');
  const { code, signal } = await program.ended();
  return signal === null ? code : 128 + constants.signals[signal];
}
