// What is claimed of tasks, members and the log's positions on SQLite is claimed again on PostgreSQL.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../src/tasks/tasks.test.js');
await import('../src/tasks/setup.test.js');
await import('../src/tasks/rule-edits.test.js');
await import('../src/tasks/run-now.test.js');
await import('../src/tasks/run-ends.test.js');
await import('../src/tasks/job-log.test.js');
await import('../src/tasks/missed-times.test.js');
await import('../src/tasks/requests.test.js');
await import('../src/tasks/catch-up.test.js');
await import('../src/tasks/lost.test.js');
await import('../src/tasks/decided-once.test.js');
await import('../src/tasks/rule-history.test.js');
await import('../src/tasks/rules-plan.test.js');
await import('../src/tasks/outside-changes.test.js');
await import('../src/tasks/loop.test.js');
await import('../src/runs/request.test.js');
await import('../src/runs/remote-request.test.js');
await import('../src/tasks/unrun.test.js');
await import('../src/why/stories.test.js');
await import('../src/membership/membership.test.js');
