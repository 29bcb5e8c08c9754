// Rows that a job has in hand while it works on them.

import { sql } from '../../src/index.js';

/**
 * Whether the job that has a row in hand runs no more.
 *
 * @param column where the job's number stands, `outbox_mails.job_id`
 */
export function isOrphan(column: `${string}.job_id`) {
  return sql<boolean>`not exists (select 1 from jobs where jobs.id = ${sql.ref(column)} and jobs.status = 'running')`;
}
