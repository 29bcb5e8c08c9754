// linod console, its accounts and links, and the console of a worker: the programs as processes.

import t from 'tap';
import type { SessionView } from '../../src/console/api.js';
import { ConsoleClient } from '../support/console-server.js';
import { LiveSite } from '../support/live-site.js';
import { eventually, type Program } from '../support/programs.js';

/** The address of a line such as `http://127.0.0.1:8780/#token=x`, and the token. */
function partsOf(line: string): { readonly url: string; readonly token: string } {
  const [, url = '', token = ''] = /(http:\/\/[\d.:]+\/)(?:#token=(\S+))?/.exec(line) ?? [];
  return { url, token };
}

/** The console that a worker says it has. */
async function consoleOf(worker: Program): Promise<string> {
  return partsOf(await worker.printed(/the console is on http/)).url;
}

t.test('linod console prints a link; linod console link prints another; TERM ends it', async (t) => {
  const site = new LiveSite(t);
  const program = site.start('linod', 'console', '--listen', '127.0.0.1:0');
  const { url, token } = partsOf(await program.printed(/^http/));
  const first = await new ConsoleClient(url).enter(token);
  const { host } = new URL(url);
  const another = partsOf(await site.linod('console', 'link', '--listen', host));
  t.equal(another.url, url);
  const second = await new ConsoleClient(url).enter(another.token);
  t.match((await second.get('api/session')).json<SessionView>(), { role: 'admin', site: { name: 'test' } });
  const stream = await first.open('GET', 'api/stream?topics=jobs');
  stream.resume();
  program.kill('SIGTERM');
  t.match(await program.ended(), { code: 0, stderr: /stopped\n$/ });
});

t.test('accounts are added, listed, changed and removed, which the audit tells', async (t) => {
  const site = new LiveSite(t);
  const user = async (password: string, ...args: readonly string[]) => {
    const program = site.start('linod', 'console', 'user', ...args);
    if (password !== '') program.tell(password);
    return await program.ended();
  };
  await site.store();
  const answers = await Promise.all([
    user('correct horse', 'add', 'ann', '--role', 'operator'),
    user('short', 'add', 'bob'),
    user('', 'role', 'ann', 'root'),
    user('', 'role', 'nobody', 'admin'),
  ]);
  t.match(answers, [
    { code: 0, stderr: 'ann may sign in as operator\n' },
    { code: 2, stderr: /a password of 8 to 200 characters, got 5/ },
    { code: 2, stderr: /viewer, operator, admin/ },
    { code: 1, stderr: /there is no user "nobody"/ },
  ]);
  t.match(JSON.parse(await site.linod('console', 'user', 'list', '--json')), [
    { name: 'ann', role: 'operator', createdAt: /Z$/, changedAt: /Z$/ },
  ]);
  t.match(await user('', 'remove', 'ann'), { code: 0 });
  t.match(await site.run('linod', 'console', 'user', 'list'), { code: 0, stdout: '', stderr: /no accounts/ });
  const { db } = await site.store();
  t.match(await db.selectFrom('console_audit').selectAll().orderBy('id').execute(), [
    { action: 'user.add', target: 'user ann', detail: 'operator', address: null },
    { action: 'user.remove', target: 'user ann' },
  ]);
});

t.test('a worker serves the console, and another takes its address over', async (t) => {
  const site = new LiveSite(t);
  const first = await site.startWorker('--console', '127.0.0.1:0');
  const url = await consoleOf(first);
  const { host } = new URL(url);
  const second = await site.startWorker('--console', host);
  await second.printed(/no console on .*, the worker tries again/);
  const client = await new ConsoleClient(url).enter(
    partsOf(await site.linod('console', 'link', '--listen', host)).token,
  );
  await eventually('both workers are shown', async () => {
    const workers = (await client.get('api/workers')).json<readonly unknown[]>();
    return workers.length === 2;
  });
  const stream = await client.open('GET', 'api/stream?topics=jobs');
  stream.resume();
  first.kill('SIGTERM');
  t.match(await first.ended(), { code: 0 }, 'an open stream does not hold the worker');
  t.equal(await consoleOf(second), url);
  t.equal((await client.get('api/session')).status, 200, 'the session goes on');
  second.kill('SIGTERM');
  t.match(await second.ended(), { code: 0 });
});

t.test('a console that cannot start harms no worker', async (t) => {
  const site = new LiveSite(t, { console: '0.0.0.0:0' });
  const worker = await site.startWorker();
  await worker.printed(/WARNING no console on 0\.0\.0\.0:0.*there are no accounts/);
  await site.linod('rules');
  t.ok(worker.isRunning);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  t.match(await site.run('linod', 'console'), {
    code: 2,
    stderr: /^linod: .*there are no accounts: add one/,
  });
});

t.test('a worker goes on when its console fails, and starts it again', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'linod.config.ts': `export default { name: 'test', consoleUser: ({ path }) => {
        if (path === '/api/session') setTimeout(() => { throw new Error('out of order'); });
        return { name: 'ann', role: 'viewer' };
      } };`,
    },
  });
  const worker = await site.startWorker('--console', '127.0.0.1:0');
  const served = () => worker.lines.filter((line) => /the console is on http/.test(line));
  await fetch(new URL('api/session', await consoleOf(worker))).catch(() => undefined);
  await worker.printed(/ERROR the console on 127\.0\.0\.1:0 has ended; the worker starts it again/);
  await worker.printed(/out of order/);
  await eventually('the console is served again', async () => served().length === 2);
  const { url } = partsOf(served()[1] ?? '');
  t.equal((await fetch(new URL('api/rules', url))).status, 200);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
});
