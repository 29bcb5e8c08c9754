// Requests that were handled, and that no job refers to any more.

import type { ExpressionBuilder } from 'kysely';
import type { BaseRequest, Database } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, type Retention } from '../retention.js';
import { inBatches } from './batches.js';

const pageSize = 500;

/** @returns how many were deleted */
export async function clearRequests(ar: BaseRequest, limits: Retention): Promise<number> {
  const handledBefore = daysBefore(ar.now(), limits.requestDays);
  let deleted = 0;
  let after = 0;
  while (await mayGoOn(ar.signal)) {
    const rows = await ar.db
      .selectFrom('job_requests')
      .select((eb) => ['id', 'handled_at', hasJob(eb).as('has_job')])
      .where('id', '>', after)
      .orderBy('id')
      .limit(pageSize)
      .execute();
    const old = rows.filter(
      (row) => row.handled_at !== null && row.handled_at < handledBefore && !row.has_job,
    );
    deleted += await inBatches(
      ar,
      old.map((row) => row.id),
      async (tx, some) => {
        // Asked again: a job may have come to refer to it meanwhile.
        await tx
          .deleteFrom('job_requests')
          .where('id', 'in', some)
          .where((eb) => eb.not(hasJob(eb)))
          .execute();
      },
    );
    if (rows.length < pageSize) break;
    after = rows.at(-1)?.id ?? after;
  }
  return deleted;
}

function hasJob(eb: ExpressionBuilder<Database, 'job_requests'>) {
  return eb.exists(
    eb.selectFrom('jobs').select('jobs.id').whereRef('jobs.request_id', '=', 'job_requests.id'),
  );
}
