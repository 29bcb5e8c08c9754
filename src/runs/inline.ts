// A run on the worker's own event loop. A run that ignores its abort signal is abandoned.

import type { Kysely } from 'kysely';
import type { ChoiceList } from '../base/choices.js';
import type { Clock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { LinodError } from '../base/errors.js';
import type { Procedure } from '../rules/procedure.js';
import type { Site } from '../site/site.js';
import type { Database } from '../store/schema.js';
import { leftBehind } from './job.js';
import type { Run, RunEnd } from './run.js';
import { RunConnection } from './run-connection.js';
import { RunRequest } from './run-request.js';
import { afterGrace, describeThrown, endedWith, headline } from './run-stop.js';
import { RunWrites } from './run-writes.js';

export interface InlineContext {
  readonly site: Site;
  /** The worker's connection, for short statements. */
  readonly db: Kysely<Database>;
  /** Opens a connection of the run's own. */
  readonly connect: () => Kysely<Database>;
  /** Called when a run has asked for another one. */
  readonly onRequest: () => void;
  readonly procedures: ChoiceList<Procedure>;
  readonly workerId: string;
  readonly clock: Clock;
}

/** Runs a job here, and returns how it ended. Rejects only when the run's connection cannot be closed. */
export async function runInline(run: Run, context: InlineContext): Promise<RunEnd> {
  const { job, user, stop, log } = run;
  const { site, clock, db, workerId, onRequest, procedures } = context;
  const connection = new RunConnection(context.connect);
  const writes = new RunWrites({ jobId: job.id, workerId, connection, short: db, clock, onRequest });
  try {
    const procedure = procedures.get(job.procedure);
    if (procedure === undefined) {
      throw new LinodError('LINOD_ERR_NO_PROCEDURE', `no procedure ${job.procedure}`);
    }
    const startedAt = clock.now();
    const args = procedure.parseArgs(job.args);
    const ar = new RunRequest({ site, job: { ...job, args }, user, log, connection, writes, stop, clock });
    const end = await follow(run, procedure.run(ar), clock);
    if (end !== null) return end;
    const message = `done in ${durationText(clock.now() - startedAt)}`;
    return { outcome: { status: 'done', message }, abandoned: null };
  } catch (error) {
    const message = describeThrown(error);
    log.write('ERROR', log.name, 'failed', undefined, message);
    return { outcome: { status: 'failed', message, cause: 'threw' }, abandoned: null };
  } finally {
    // Also for an abandoned run: its later log lines no longer belong to the job.
    const closed = connection.close();
    if (closed !== undefined) await closed;
  }
}

/**
 * Waits for the end of what a procedure does, and no longer than it is allowed. Rejects with what it throws
 * when nobody had asked it to end.
 *
 * @returns null when all went well
 */
async function follow({ stop, rule, log }: Run, work: Promise<void>, clock: Clock): Promise<RunEnd | null> {
  let disarm: () => void = () => undefined;
  const givenUp = new Promise<How>((resolve) => {
    disarm = afterGrace({ stop, rule }, clock, (graceMs) => {
      const text = `it did not react within ${durationText(graceMs)} and may still be going on`;
      const abandoned = work.catch(() => undefined);
      resolve({ text, abandoned });
    });
  });
  const ended = work.then(
    (): How => ({ text: 'it ended by itself', abandoned: null }),
    (error: unknown): How => {
      if (stop.reason === null) throw error;
      return { text: endedWith(headline(error), stop.reason), abandoned: null };
    },
  );
  const { text, abandoned } = await Promise.race([ended, givenUp]).finally(disarm);
  const { reason } = stop;
  if (reason === null) return null;
  const message = `${reason.message}; ${text}`;
  log.logger.warning(message);
  const cause = abandoned === null ? null : leftBehind;
  return { outcome: { status: reason.status, message, cause }, abandoned };
}

interface How {
  readonly text: string;
  /** What was given up, as in {@link RunEnd}. */
  readonly abandoned: Promise<void> | null;
}
