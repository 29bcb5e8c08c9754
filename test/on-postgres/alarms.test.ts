// What test/src/alarms claims, on PostgreSQL.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../src/alarms/incidents.test.js');
