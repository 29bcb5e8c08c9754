// Deletes the history of jobs that nobody will look at any more, as `retention` says. Of the ledger counts are left.

import { type BaseRequest, scheduleDaily } from '../src/index.js';
import { counted } from './counted.js';
import { clearJobs, clearRequests } from './history/jobs.js';
import { clearSummaries, summariseDecisions } from './history/ledger.js';
import { retention } from './retention.js';

export const clearTooOldJobHistory = scheduleDaily(
  // On the worker's own event loop it would delay the rules that run meanwhile, and they its transactions.
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
    // After the jobs: only what no job refers to can go.
    const requests = await clearRequests(ar, retention());
    report(ar, { jobs, decisions, requests });
  },
);

interface Counts {
  readonly jobs: number;
  readonly decisions: number;
  readonly requests: number;
}

function report(ar: BaseRequest, { jobs, decisions, requests }: Counts): void {
  const stopped = ar.signal.aborted ? '; the run was ended before all was done' : '';
  const counts = `${counted(jobs, 'job')}, ${counted(decisions, 'decision')} and ${counted(requests, 'request')}`;
  if (jobs + decisions + requests === 0) ar.debug(`nothing is too old${stopped}`);
  else ar.info(`${counts} deleted${stopped}`);
}
