// `npm run docs`: writes the table of settings into docs/configuration.md, as src/site/settings.ts defines them.
//
// `npm test` fails when the two differ. Exit codes: 0 done, 1 failed.

import { run } from './bootstrap.mjs';

run('npx', ['tap', 'test/docs-configuration.test.ts'], { LINOD_WRITE_DOCS: '1' });
