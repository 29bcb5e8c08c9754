// What is claimed of the console on SQLite is claimed again on PostgreSQL.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../console/access.test.js');
await import('../console/rules-api.test.js');
await import('../console/stream.test.js');
await import('../console/runs-api.test.js');
