// Runs the work of a procedure in the process of a command, with an `ar` and without a job.

import type { Clock } from '../../base/clock.js';
import { Logger } from '../../log/logger.js';
import type { LogSink } from '../../log/sink.js';
import { databaseClock } from '../../membership/database-clock.js';
import type { BaseRequest } from '../../rules/base-request.js';
import { addRequest } from '../../runs/add-request.js';
import type { Store } from '../../store/store.js';
import { transact } from '../../store/transact.js';
import { ExitError, person, type SiteStore, unlessEnded } from '../main.js';
import { ProgressLine, say, styled } from '../views/output.js';

export interface RunHereOptions {
  /** The arguments of the procedure; default `null`. */
  readonly args?: unknown;
  /** The lowest level that is printed on stderr; default INFO. */
  readonly level?: 'DEBUG' | 'INFO' | 'WARNING';
}

/**
 * Calls a function with a request of this process. Its records go to stderr, its progress to the terminal. TERM and
 * INT abort its signal; a second signal ends the process at once.
 *
 * @throws whatever `work` throws; ExitError with code 143 or 130 when a signal ended it
 */
export async function runHere<T>(
  found: SiteStore,
  work: (ar: BaseRequest) => Promise<T>,
  options: RunHereOptions = {},
): Promise<T> {
  const line = new ProgressLine();
  const clock = await databaseClock(found.store);
  try {
    return await unlessEnded((signal) => work(requestHere(found, clock, options, signal, line)));
  } catch (error) {
    line.clear();
    if (error instanceof ExitError) say('ended by a signal before the work was done');
    throw error;
  } finally {
    line.clear();
  }
}

function requestHere(
  { site, store }: SiteStore,
  clock: Clock,
  { args = null, level = 'INFO' }: RunHereOptions,
  signal: AbortSignal,
  line: ProgressLine,
): BaseRequest {
  const user = person();
  const logger = new Logger({ sink: sayingSink(line), name: 'linod', level });
  return {
    site,
    db: store.db,
    logger,
    signal,
    user,
    jobId: 0,
    dueAt: null,
    args,
    attempt: 1,
    lastCheckpoint: null,
    now: () => new Date(clock.now()),
    progress: (done, total, text) => line.show(done, total, text),
    // There is no next attempt, so there is nothing to keep.
    checkpoint: async () => undefined,
    transaction: (work) => transact(store.db, work),
    requestRun: async (rule, runArgs, { tx, ...more } = {}) => {
      // Whatever its tables, this is a Kysely on the database of the site.
      const db = (tx as Store['db'] | undefined) ?? store.db;
      return await addRequest({ db, clock }, rule, 'run', user, { ...more, args: runArgs });
    },
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warning: (message, fields) => logger.warning(message, fields),
    error: (message, detail) => logger.error(message, detail),
  };
}

function sayingSink(line: ProgressLine): LogSink {
  return {
    write: (level, _name, message) => {
      line.clear();
      if (level === 'DEBUG' || level === 'INFO') say(message);
      else say(`${styled('yellow', `${level.toLowerCase()}:`, process.stderr)} ${message}`);
    },
  };
}
