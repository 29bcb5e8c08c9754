// What is claimed of the console's API on SQLite is claimed again on PostgreSQL.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../console/api/runs.js');
await import('../console/api/accounts.js');
await import('../console/api/rules.js');
await import('../console/api/stream.js');
