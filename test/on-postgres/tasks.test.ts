// What is claimed of tasks, members and the log's positions on SQLite is claimed again on PostgreSQL. What only decides
// with rows that were read is left to SQLite.

import t from 'tap';
import { usePostgres } from '../support/database.js';

await usePostgres(t);
await import('../src/scheduler/tasks.test.js');
await import('../src/rules/setup.test.js');
await import('../src/rules/changes/edit.test.js');
await import('../src/scheduler/run-now.test.js');
await import('../src/scheduler/run-ends.test.js');
await import('../src/runs/job-log.test.js');
await import('../src/scheduler/requests.test.js');
await import('../src/scheduler/lost.test.js');
await import('../src/scheduler/decided-once.test.js');
await import('../src/rules/changes/rule-history.test.js');
await import('../src/rules/changes/rules-plan.test.js');
await import('../src/rules/changes/outside-changes.test.js');
await import('../src/runs/run-request.test.js');
await import('../src/scheduler/unrun.test.js');
await import('../src/insight/why/stories.test.js');
await import('../src/membership/membership.test.js');
