// A run on the worker's own event loop. What does not end when it is asked to cannot be made to: it is left behind.

import type { Kysely } from 'kysely';
import type { ChoiceList } from '../choices.js';
import type { Clock } from '../clock.js';
import { durationText } from '../duration.js';
import { LinodError } from '../errors.js';
import type { Procedure } from '../procedure.js';
import type { Site } from '../site.js';
import type { Database } from '../store/schema.js';
import type { Outcome } from '../tasks/job.js';
import type { Requests } from '../tasks/requests.js';
import { RunConnection } from './connection.js';
import { createRequest } from './request.js';
import { graceOf, type Run, type RunEnd } from './run.js';
import { endedWith } from './stop.js';
import { describeThrown, headline } from './thrown.js';
import { RunWrites } from './writes.js';

export interface InlineContext {
  readonly site: Site;
  /** The worker's connection, for short statements. */
  readonly db: Kysely<Database>;
  /** Opens a connection of the run's own. */
  readonly connect: () => Kysely<Database>;
  readonly requests: (db: Kysely<Database>) => Requests;
  readonly onRequest: () => void;
  readonly procedures: ChoiceList<Procedure>;
  readonly workerId: string;
  readonly clock: Clock;
}

/** Runs a job here, and tells how it ended. Rejects only when the run's connection cannot be closed. */
export async function runInline(run: Run, context: InlineContext): Promise<RunEnd> {
  const { job, user, stop, log } = run;
  const { site, clock, workerId, requests, onRequest, procedures } = context;
  const connection = new RunConnection(context.connect);
  const writes = new RunWrites({
    jobId: job.id,
    workerId,
    own: () => connection.open(),
    short: () => context.db,
    requests,
    onRequest,
  });
  try {
    const procedure = procedures.get(job.procedure);
    if (procedure === undefined) {
      throw new LinodError('LINOD_ERR_NO_PROCEDURE', `no procedure ${job.procedure}`);
    }
    const startedAt = clock.now();
    const ar = createRequest({ site, job, user, log, connection, writes, stop, clock });
    const end = await follow(run, procedure.run(ar), clock);
    if (end !== null) return end;
    const message = `done in ${durationText(clock.now() - startedAt)}`;
    return { outcome: { status: 'done', message }, left: null };
  } catch (error) {
    log.logger.error('failed', { error });
    return { outcome: failure(error), left: null };
  } finally {
    // Also of a run that is left behind: what it still writes would not belong to its job any more.
    const closed = connection.close();
    if (closed !== undefined) await closed;
  }
}

/** Waits for the end of what a procedure does, and no longer than it is allowed. @returns null when all went well */
async function follow(run: Run, work: Promise<void>, clock: Clock): Promise<RunEnd | null> {
  const { stop } = run;
  let how: string | null = null;
  let tellGivenUp: (() => void) | undefined;
  const givenUp = new Promise<void>((resolve) => {
    tellGivenUp = resolve;
  });
  let disarm: () => void = () => undefined;
  let giveUpAt = Number.POSITIVE_INFINITY;
  let graceMs = 0;
  stop.onAbort((reason) => {
    const wanted = clock.now() + graceOf(run, reason);
    if (how !== null || wanted >= giveUpAt) return;
    giveUpAt = wanted;
    graceMs = graceOf(run, reason);
    disarm();
    disarm = clock.after(graceMs, () => tellGivenUp?.());
  });
  const ended = work.then(
    () => {
      how = 'it ended by itself';
    },
    (error: unknown) => {
      if (stop.reason === null) throw error;
      how = endedWith(headline(error), stop.reason);
    },
  );
  try {
    await Promise.race([ended, givenUp]);
  } finally {
    disarm();
  }
  if (stop.reason === null) return null;
  const { status, message: why } = stop.reason;
  const settled = how ?? `it did not react within ${durationText(graceMs)} and may still be going on`;
  const message = `${why}; ${settled}`;
  run.log.logger.warning(message);
  return { outcome: { status, message }, left: how === null ? ended : null };
}

function failure(error: unknown): Outcome {
  return { status: 'failed', message: describeThrown(error), cause: 'threw' };
}
