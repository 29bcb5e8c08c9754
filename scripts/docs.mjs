// `npm run docs`: writes the generated parts of the documents from the code.
//
//     docs/reference/configuration.md   the settings, from src/site/settings.ts
//     docs/reference/policies.md        the policies, from src/rules/policies.ts
//     docs/reference/reasons.md         the reasons, from src/rules/reasons.ts
//     docs/reference/checks.md          the checks of `linod doctor`, from src/doctor/
//     docs/guides/alarms.md             the kinds of alarms, from src/alarms/kinds.ts
//     docs/reference/metrics.md         the metrics, from src/metrics/metrics.ts
//     docs/reference/commands.md        the help of every command
//     docs/reference/api.md             the public names and their comments
//     docs/explanation/channels.md      the claims of test/contracts
//     docs/guides/server.md             the differences from daphne, from test/interop/daphne-differences.ts
//
// `npm test` fails when a document and the code differ. Exit codes: 0 done, 1 failed.

import { run } from './bootstrap.mjs';

const tests = [
  'test/docs-tables.test.ts',
  'test/docs-commands.test.ts',
  'test/docs-api.test.ts',
  'test/monitoring.test.ts',
];
run('npx', ['tap', '--jobs=1', ...tests], { LINOD_WRITE_DOCS: '1' });
