// What `npm run demo` tells is true, from its first step to its last.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { testDirectory } from '../support/directory.js';
import { typescriptArg } from '../support/fork-typescript.js';
import { Program } from '../support/programs.js';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'demo', 'story.ts');

t.test('the demo comes to its end, with every record in the log once, and leaves nothing', async (t) => {
  const temporary = testDirectory(t);
  const options = { nodeArgs: [typescriptArg], environment: { TMPDIR: temporary } };
  const { code, stderr } = await Program.start(t, script, [], options).ended();
  t.equal(code, 0, stderr);
  t.match(stderr, /Yes: every record is in lino\.log exactly once, in order\.\n$/);
  t.same(readdirSync(temporary), []);
});
