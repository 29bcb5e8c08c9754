// A run on the worker's own event loop. What does not end when it is asked to cannot be made to: it is left behind.

import type { Kysely } from 'kysely';
import type { ChoiceList } from '../choices.js';
import type { Clock } from '../clock.js';
import { durationText } from '../duration.js';
import { LinodError } from '../errors.js';
import type { Procedure } from '../procedure.js';
import type { Site } from '../site.js';
import type { Database } from '../store/schema.js';
import { leftBehind, type Outcome } from '../tasks/job.js';
import type { Requests } from '../tasks/requests.js';
import { RunConnection } from './connection.js';
import { RunRequest } from './request.js';
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
  const { site, clock, db, workerId, requests, onRequest, procedures } = context;
  const connection = new RunConnection(context.connect);
  const writes = new RunWrites({ jobId: job.id, workerId, connection, short: db, requests, onRequest });
  try {
    const procedure = procedures.get(job.procedure);
    if (procedure === undefined) {
      throw new LinodError('LINOD_ERR_NO_PROCEDURE', `no procedure ${job.procedure}`);
    }
    const startedAt = clock.now();
    const ar = new RunRequest({ site, job, user, log, connection, writes, stop, clock });
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
  const how = await endOrGiveUp(run, work, clock);
  const { reason } = run.stop;
  if (reason === null) return null;
  const { status, message: why } = reason;
  const message = `${why}; ${how.text}`;
  run.log.logger.warning(message);
  const left = how.isOver
    ? null
    : work.then(
        () => undefined,
        () => undefined,
      );
  return { outcome: { status, message, cause: how.isOver ? null : leftBehind }, left };
}

/** How a run came to its end; where it is not over, it was given up. */
interface How {
  readonly isOver: boolean;
  readonly text: string;
}

/** Rejects with what the procedure throws when nobody had asked it to end. */
function endOrGiveUp(run: Run, work: Promise<void>, clock: Clock): Promise<How> {
  const { stop } = run;
  return new Promise((resolve, reject) => {
    let isOver = false;
    let giveUpAt = Number.POSITIVE_INFINITY;
    let disarm: () => void = () => undefined;
    work.then(
      () => {
        isOver = true;
        disarm();
        resolve(endedByItself);
      },
      (error: unknown) => {
        isOver = true;
        disarm();
        if (stop.reason === null) reject(error);
        else resolve({ isOver, text: endedWith(headline(error), stop.reason) });
      },
    );
    stop.onAbort((reason) => {
      const graceMs = graceOf(run, reason);
      const wanted = clock.now() + graceMs;
      if (isOver || wanted >= giveUpAt) return;
      giveUpAt = wanted;
      disarm();
      const text = `it did not react within ${durationText(graceMs)} and may still be going on`;
      disarm = clock.after(graceMs, () => resolve({ isOver, text }));
    });
  });
}

const endedByItself: How = { isOver: true, text: 'it ended by itself' };

function failure(error: unknown): Outcome {
  return { status: 'failed', message: describeThrown(error), cause: 'threw' };
}
