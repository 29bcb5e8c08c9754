// What is claimed of the shipped procedures on SQLite is claimed again on PostgreSQL.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../procedures/checkdata.test.js');
await import('../procedures/checksummaries.test.js');
await import('../procedures/clear-seen-messages.test.js');
await import('../procedures/clear-too-old-job-history.test.js');
await import('../procedures/event-notification-scheduler.test.js');
await import('../procedures/mail.test.js');
await import('../procedures/notifications.test.js');
await import('../procedures/push.test.js');
