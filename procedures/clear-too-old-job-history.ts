// Deletes old jobs and old entries of the console's audit as `retention` says. Reduces old entries of the ledger to counts.

import { type BaseRequest, scheduleDaily } from '../src/index.js';
import { clearAudit, clearJobs, clearRequests } from './history/jobs.js';
import { clearSummaries, summariseDecisions } from './history/ledger.js';
import { counted } from './shared/counted.js';
import { retention } from './shared/retention.js';

export const clearTooOldJobHistory = scheduleDaily(
  // Runs in a thread: on the worker's event loop it would delay other rules, and they its transactions.
  { onFailure: 'continue', runIn: 'thread' },
  async function clear_too_old_job_history(ar) {
    const rules = await ar.db
      .selectFrom('job_rules')
      .select(['id', 'procedure'])
      .orderBy('seqno')
      .orderBy('id')
      .execute();
    let jobs = 0;
    let decisions = 0;
    for (const [index, { id, procedure }] of rules.entries()) {
      if (ar.signal.aborted) break;
      ar.progress(index, rules.length, 'rules');
      const limits = retention(procedure);
      jobs += await clearJobs(ar, id, limits);
      decisions += await summariseDecisions(ar, id, limits);
      await clearSummaries(ar, id, limits);
    }
    // After the jobs, because only requests without a job can be deleted.
    const requests = await clearRequests(ar, retention());
    const entries = await clearAudit(ar, retention());
    report(ar, { jobs, decisions, requests, entries });
  },
);

interface Counts {
  readonly jobs: number;
  readonly decisions: number;
  readonly requests: number;
  /** Of the console's audit. */
  readonly entries: number;
}

function report(ar: BaseRequest, { jobs, decisions, requests, entries }: Counts): void {
  const stopped = ar.signal.aborted ? '; the run was ended before all was done' : '';
  const counts = `${counted(jobs, 'job')}, ${counted(decisions, 'decision')} and ${counted(requests, 'request')}`;
  const audit = `${counted(entries, 'entry', 'entries')} of the console's audit`;
  if (entries > 0) ar.info(`${audit} deleted`);
  if (jobs + decisions + requests > 0) ar.info(`${counts} deleted${stopped}`);
  else if (entries === 0) ar.debug(`nothing is too old${stopped}`);
}
