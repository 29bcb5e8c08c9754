import t from 'tap';
import { CommandShell } from '../../support/command-shell.js';
import { LiveSite } from '../../support/live-site.js';
import { shopFiles } from '../../support/shop.js';

t.test('linod checksummaries computes marked keys, or all, and lists failed ones', async (t) => {
  const site = new LiveSite(t, { files: shopFiles, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  t.strictSame(await shell.run('linod checksummaries'), { code: 0, stdout: '', stderr: '' });
  t.strictSame(await shell.run('linod checksummaries --all'), {
    code: 0,
    stdout: '',
    stderr: 'turnovers: 10 keys computed\n',
  });
  const { db } = await site.store();
  const turnovers = db.withTables<{ turnovers: { customer: string; total: number } }>();
  t.equal((await turnovers.selectFrom('turnovers').selectAll().execute()).length, 10);
  await turnovers.schema.dropTable('turnovers').execute();
  const failed = await shell.run('linod checksummaries --all --summary turnovers --json');
  t.equal(failed.code, 3);
  t.match(JSON.parse(failed.stdout), [
    { summary: 'turnovers', keys: 10, failed: 10, lastError: /turnovers/ },
  ]);
  t.match(await shell.run('linod checksummaries --summary turnover'), {
    code: 2,
    stderr: 'linod: there is no summary "turnover"; there are turnovers\n',
  });
});

t.test('keys that cannot be read cause exit code 3', async (t) => {
  const broken = `import { registerSummary } from 'linod/procedures';
registerSummary({ name: 'stock', compute: () => 1, store: () => {}, keys: () => { throw new Error('no stock'); } });`;
  const site = new LiveSite(t, { files: { 'procedures/broken.js': broken }, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  t.match(await shell.run('linod checksummaries --all'), {
    code: 3,
    stderr: /stock: its keys could not be read: Error: no stock/,
  });
  t.match(await shell.run('linod checksummaries --summary other'), { code: 2 });
});
