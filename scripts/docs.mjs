// `npm run docs`: writes the table of settings into docs/configuration.md, as src/site/settings.ts defines them, the table of
// policies into docs/policies.md, as src/policies.ts does, and the list of what every channel layer promises into
// docs/channels.md, as test/contracts claims it.
//
// `npm test` fails when they differ. Exit codes: 0 done, 1 failed.

import { run } from './bootstrap.mjs';

run('npx', ['tap', 'test/docs-tables.test.ts'], { LINOD_WRITE_DOCS: '1' });
