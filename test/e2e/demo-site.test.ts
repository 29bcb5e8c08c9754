// The demo site does what it says: every procedure finds something to do there.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { testDirectory } from '../support/directory.js';
import { typescriptArg } from '../support/fork-typescript.js';
import { Program, scriptPath } from '../support/programs.js';

const root = join(import.meta.dirname, '..', '..');
const script = join(root, 'scripts', 'demo-site', 'main.ts');

function start(test: Test, ...args: string[]): { demo: Program; temporary: string } {
  const temporary = testDirectory(test);
  const environment = { TMPDIR: temporary };
  return { demo: Program.start(test, script, args, { nodeArgs: [typescriptArg], environment }), temporary };
}

t.test('on the demo site every procedure does something, and nothing is left of it', async (t) => {
  const before = readdirSync(join(root, 'examples', 'demo-site'), { recursive: true });
  const { demo, temporary } = start(t, '--once');
  const { code, stderr, stdout } = await demo.ended();
  t.equal(code, 0, stderr);
  for (const pattern of [
    /mail │ to ann@example\.org: /,
    /mail │ to bob@example\.org: /,
    /push │ to ann: Tasting/,
    /push │ to bob: Tasting/,
    /[1-9]\d* mails and [2-9]\d* pushes have arrived/,
  ]) {
    t.match(stderr, pattern);
  }
  t.match(stdout, /orders_have_customers +orders 3 +there is no user "mallory" +no/);
  t.match(stdout, /meetings_have_guests +meetings 3 +nobody is invited/);
  t.notMatch(stdout, /too much was paid/, 'what can be repaired was');
  t.notMatch(stdout, /Picnic/, 'nobody is reminded of what is cancelled');
  for (const line of stdout.split('\n')) t.notMatch(line, /failed/);
  t.same(readdirSync(temporary), [], 'the temporary directory is empty again');
  t.same(readdirSync(join(root, 'examples', 'demo-site'), { recursive: true }), before);
});

t.test('what the demo site says to type can be typed, and Ctrl-C ends all of it', async (t) => {
  const { demo, temporary } = start(t);
  const line = await demo.printed(/^ {2}\. .*env\.sh$/);
  const file = line.trim().slice(2);
  await demo.printed(/Ctrl-C ends all of it/);
  const environment = Object.fromEntries(
    Array.from(readFileSync(file, 'utf8').matchAll(/^export (\w+)='(.*)'$/gm), ([, name, value]) => [
      name,
      value,
    ]),
  );
  const words = ['push', 'send', '--user', 'ann', '--title', 'Hello'];
  const sent = await Program.start(t, scriptPath('linod'), words, { environment }).ended();
  t.match(sent, { code: 0, stderr: /is queued for 1 subscription/ });
  await demo.printed(/push │ to ann: Hello/);
  const checked = await Program.start(t, scriptPath('linod'), ['checkdata'], { environment }).ended();
  t.match(checked, { code: 3, stdout: /1\.80 EUR too much was paid +yes/ });
  demo.kill('SIGINT');
  const { code, stderr } = await demo.ended();
  t.equal(code, 0, stderr);
  t.same(readdirSync(temporary), []);
});
