// Deletes the history of jobs that nobody will look at any more, as `retention` says. Of the ledger counts are left.

import { type BaseRequest, scheduleDaily } from '../src/index.js';
import { counted } from './counted.js';
import { clearJobs, clearRequests } from './history/history.js';
import { clearSummaries, summariseDecisions } from './history/ledger.js';
import { retention } from './retention.js';

export const clearTooOldJobHistory = scheduleDaily(
  { onFailure: 'continue' },
  async function clear_too_old_job_history(ar) {
    const rules = await ar.db.selectFrom('job_rules').select('id').orderBy('seqno').orderBy('id').execute();
    const limits = retention();
    let jobs = 0;
    let decisions = 0;
    for (const [index, { id }] of rules.entries()) {
      ar.progress(index, rules.length, 'rules');
      jobs += await clearJobs(ar, id, limits);
      decisions += await summariseDecisions(ar, id, limits);
    }
    // After the jobs: only what no job refers to can go.
    const requests = await clearRequests(ar, limits);
    if (!ar.signal.aborted) await clearSummaries(ar, limits);
    tell(ar, { jobs, decisions, requests });
  },
);

function tell(ar: BaseRequest, counts: { jobs: number; decisions: number; requests: number }): void {
  const { jobs, decisions, requests } = counts;
  const stopped = ar.signal.aborted ? '; the run was ended before all was done' : '';
  if (jobs + decisions + requests === 0) ar.debug(`nothing is too old${stopped}`);
  else
    ar.info(
      `${counted(jobs, 'job')}, ${counted(decisions, 'decision')} and ${counted(requests, 'request')} deleted${stopped}`,
    );
}
