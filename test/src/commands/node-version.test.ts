import t from 'tap';
import { nodeProblem } from '../../../src/commands/node-version.js';

t.test('versions of Node.js that abort are named with those that work', async (t) => {
  for (const version of ['24.20.0', '24.21.1']) {
    t.match(nodeProblem(version), `Node.js ${version} ends programs with an abort`);
    t.match(nodeProblem(version), 'use 24.18, or 24.22 or later');
  }
  for (const version of ['20.20.0', '22.21.0', '24.2.0', '24.18.0', '24.22.0', '25.0.0'])
    t.equal(nodeProblem(version), null, version);
});
