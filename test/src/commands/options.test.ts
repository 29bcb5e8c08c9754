import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeSite } from '../../../src/commands/init.js';
import { linodProgram } from '../../../src/commands/linod.js';
import { testDirectory } from '../../support/directory.js';

const site = join(testDirectory(t), 'shop');
await makeSite(site, 'shop');

/** What a command prints on stdout. */
async function output(t: Test, ...words: readonly string[]): Promise<string> {
  const printed = t.capture(process.stdout, 'write', () => true);
  await linodProgram().parseAsync(words, { from: 'user' });
  return printed()
    .map(({ args }) => String(args[0]))
    .join('');
}

for (const words of [
  ['rules', '--site', site, '--json'],
  ['--site', site, '--json', 'rules'],
  ['--json', 'rules', '--site', site],
]) {
  t.test(`${words.join(' ').replaceAll(site, 'DIR')} prints the rules of that site as JSON`, async (t) => {
    t.same(JSON.parse(await output(t, ...words)), []);
  });
}

t.test('a command below a command hears the options, too', async (t) => {
  const report = JSON.parse(await output(t, 'rules', '--site', site, 'sync', '--json'));
  t.match(report, { created: ['clear_too_old_job_history'] });
});

t.test('a mistyped command is told with the nearest one', async (t) => {
  await t.rejects(output(t, 'jbos', '--site', site), {
    code: 'LINOD_ERR_USAGE',
    message: 'there is no command "jbos", did you mean "jobs"?',
  });
});
