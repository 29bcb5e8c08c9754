import t from 'tap';
import { nodeProblem } from '../../../src/base/node-version.js';

t.test('versions of Node.js that abort are named with those that work', async (t) => {
  for (const version of ['24.19.0', '24.20.0', '24.21.1']) {
    t.match(nodeProblem(version), `Node.js ${version} aborts programs`);
    t.match(nodeProblem(version), 'use 24.22 or later, or 24.18 and then: npm rebuild better-sqlite3');
  }
  for (const version of ['20.20.0', '22.21.0', '24.1.9', '24.2.0', '24.18.1', '24.22.1', '25.0.0'])
    t.equal(nodeProblem(version), null, version);
});
