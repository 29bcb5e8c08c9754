// What becomes of a request at once, in words.

import { fateOfRequest, type RequestFate } from '../../actors/run-job.js';
import type { ActorContext } from '../../actors/tables.js';
import { ruleStory } from './rule-story.js';

/** An idle worker takes a request at once. */
const fateMs = 2000;

/** Waits a moment for a worker to take the request. */
export async function fateOf(
  context: Pick<ActorContext, 'site' | 'store'>,
  request: number,
  action: 'run' | 'stop' = 'run',
): Promise<RequestFate> {
  return await fateOfRequest(context, request, fateMs, action === 'run' ? 'run' : 'cancel');
}

/** The outcome; null while the request waits. */
export function fateText({ outcome, job }: RequestFate): string | null {
  return job === null ? outcome : `job ${job.id} has started on worker ${job.workerId}`;
}

/** The blockers of a request. A request runs a cancelled rule, too. */
const blocking = ['not-started', 'paused', 'no-procedure', 'running', 'group', 'slots'];

/** Why a request for a run of the rule waits. */
export async function waitText(context: Pick<ActorContext, 'site' | 'store'>, rule: number): Promise<string> {
  const { outlook } = await ruleStory(context, rule, { limit: 1, now: new Date() });
  const why = outlook.blockers.filter(({ code }) => blocking.includes(code));
  if (why.length === 0) return 'waiting: no worker has taken it yet';
  return `waiting: ${why.map(({ sentence }) => sentence).join('; ')}`;
}
