// linod rule N run and stop: requests a run or its end, and reports the outcome.

import { RunJob } from '../../actors/run-job.js';
import { openTasks } from '../../actors/tables.js';
import { parseExactJson } from '../../base/parse-json.js';
import { fateOf, fateText, waitText } from '../../insight/why/request-text.js';
import { isRefusal } from '../../scheduler/requests.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import { ExitError, exitCodes, person } from '../main.js';
import { print, printJson, say } from '../views/output.js';
import { sayIfUnwoken } from '../wake.js';

export interface RunFlags {
  readonly json?: boolean;
  readonly wait?: boolean;
  readonly args?: string;
  readonly debug?: boolean;
}

export interface RunTarget {
  readonly site: Site;
  readonly store: Store;
  readonly id: number;
  readonly flags: RunFlags;
}

/** Requests a run of a rule, or the end of its current run. */
export async function runRule(action: 'run' | 'stop', target: RunTarget): Promise<void> {
  const { site, store, id, flags } = target;
  const debug = flags.debug === true;
  const options =
    flags.args === undefined ? { debug } : { debug, args: parseExactJson('--args', flags.args) };
  const user = person();
  const context = { site, store, user };
  const requested = await (action === 'run'
    ? RunJob.request(context, id, options)
    : RunJob.stop(context, id));
  const { request, isWorking } = requested;
  sayIfUnwoken(requested);
  const rule = await (await openTasks(context)).rules.get(id);
  if (!isWorking && action === 'run') {
    say(`no worker is running; request ${request} waits for one: runworker ${site.channel}`);
    if (flags.wait) throw new ExitError(exitCodes.failed);
  }
  if (flags.wait) {
    const { outcome } = await fateOf(target, request, action);
    if (outcome === null) say(await waitText(target, id));
    return await waitForRun(target, request);
  }
  const fate = isWorking || action === 'stop' ? await fateOf(target, request, action) : null;
  if (flags.json)
    printJson({ request, rule: id, action, worker: isWorking, ...(fate ?? { outcome: null, job: null }) });
  else {
    print(`request ${request}: ${action} ${rule}${debug ? ' at DEBUG' : ''}`);
    if (fate !== null) print(fateText(fate) ?? (await waitText(target, id)));
  }
  if (isRefusal(fate?.outcome ?? '')) throw new ExitError(exitCodes.failed);
}

async function waitForRun(target: RunTarget, request: number): Promise<void> {
  const { site, store, flags } = target;
  const job = await RunJob.ended({ site, store }, request);
  if (flags.json) printJson(job);
  else
    print(
      job === null
        ? `request ${request}: ${(await fateOf(target, request)).outcome ?? 'it was not run'}`
        : `job ${job.id} ${job.status}: ${job.message}`,
    );
  if (job?.status !== 'done') throw new ExitError(exitCodes.failed);
}
