import t from 'tap';
import { CommandShell } from '../../support/command-shell.js';
import { LiveSite } from '../../support/live-site.js';
import { shopFiles } from '../../support/shop.js';

t.test('linod checkdata lists problems, fixes them with --fix, and has an exit code for them', async (t) => {
  const site = new LiveSite(t, { files: shopFiles, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);

  const found = await shell.run('linod checkdata');
  t.equal(found.code, 3);
  const [titles = '', ...rows] = found.stdout.trimEnd().split('\n');
  t.match(titles, /^checker +owner +message +fixable +since$/);
  t.match(rows, [
    /^orders_are_not_overpaid {2}orders 7 +2 too much +yes +\d{4}-\d\d-\d\d$/,
    /^orders_are_not_overpaid {2}orders 17 +2 too much +yes/,
  ]);
  t.match(found.stderr, 'orders_are_not_overpaid: 20 rows checked, 2 problems (2 of them new)');

  const other = await shell.run('linod checkdata --checker orders_have_customers');
  t.match(other, { code: 0, stdout: '', stderr: /no problem/ });

  const listed = await shell.run('linod checkdata --list --json --limit 1');
  t.match(listed, { code: 3, stderr: 'and 1 more problem\n' });
  t.match(JSON.parse(listed.stdout), [
    { checker: 'orders_are_not_overpaid', owner: 'orders 7', message: '2 too much', fixable: true },
  ]);

  const fixed = await shell.run('linod checkdata --fix --json');
  t.match(fixed, { code: 0, stdout: '[]\n', stderr: /orders 17: fixed: 2 too much/ });
});

t.test('an unknown checker is an error of one line', async (t) => {
  const site = new LiveSite(t, { files: shopFiles, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  t.strictSame(await shell.run('linod checkdata --checker order'), {
    code: 2,
    stdout: '',
    stderr: 'linod: there is no checker "order"; there are orders_are_not_overpaid, orders_have_customers\n',
  });
});
