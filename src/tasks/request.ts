// What a procedure is handed: the original's `ar`.

import type { Kysely } from 'kysely';
import type { Fields } from '../log/fields.js';
import type { Logger } from '../log/logger.js';
import type { Site } from '../site.js';
import type { Database } from '../store/schema.js';

/** The request on whose behalf a procedure runs. */
export interface BaseRequest {
  readonly site: Site;
  /** The site's database. */
  readonly db: Kysely<Database>;
  /** Logs to `lino.log`, and to the job from the rule's log level on. */
  readonly logger: Logger;
  /** Aborted when the run is to end: its time-out, a person's request, or the worker's stop. */
  readonly signal: AbortSignal;
  /** Who asked for the run; `null` when its time had come. */
  readonly user: string | null;
  /** The run's number, as `linod job N` wants it. */
  readonly jobId: number;
  /** The time by the worker's clock. */
  now(): Date;
  /** Says how far the run has come; `linod job N` shows it. `total` makes a percentage of it. */
  progress(done: number, total?: number, text?: string): void;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warning(message: string, fields?: Fields): void;
}
