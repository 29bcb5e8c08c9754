// Why a request of the console is refused.

import { ChannelsError } from '../../channels/index.js';
import { LinodError, misuseCodes } from '../base/errors.js';

type ErrorStatus = 400 | 401 | 403 | 404 | 429 | 500 | 503;

/** An answer with a status, for the page. */
export class RefusedError extends LinodError {
  readonly status: ErrorStatus;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ErrorStatus,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(code, message);
    this.status = status;
    this.headers = headers;
  }
}

/** @example throw notFound('job 17') */
export function notFound(what: string): RefusedError {
  return new RefusedError(404, 'LINOD_ERR_NOT_FOUND', `there is no ${what}`);
}

/** @example throw badRequest('expected limit to be a whole number') */
export function badRequest(message: string): RefusedError {
  return new RefusedError(400, 'LINOD_ERR_BAD_REQUEST', message);
}

const missing = new Set([
  'LINOD_ERR_UNKNOWN_RULE',
  'LINOD_ERR_UNKNOWN_REQUEST',
  'LINOD_ERR_UNKNOWN_WORKER',
  'LINOD_ERR_NOTHING_KEPT',
]);

/** Errors of the caller keep their sentence; all others are the server's, and their stack stays in the log. */
export function refusalOf(error: unknown): RefusedError {
  if (error instanceof RefusedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'LINOD_ERR_INTERNAL';
  if (missing.has(code)) return new RefusedError(404, code, message);
  if (misuseCodes.has(code)) return new RefusedError(400, code, message);
  // Not worth a record for each request: the workers report it, and the page asks again.
  if (code === 'CHANNELS_ERR_LAYER_UNAVAILABLE') return new RefusedError(503, code, message);
  // Nobody can sign in now, so anybody may read this: it names neither host nor user of the database.
  if (code === 'LINOD_ERR_STORE_UNAVAILABLE')
    return new RefusedError(503, code, 'the database cannot be used now; "linod doctor" says why');
  // The text of a foreign error may show what nobody outside is to know.
  const isOwn = error instanceof LinodError || error instanceof ChannelsError;
  return new RefusedError(500, code, isOwn ? message : 'the console failed; lino.log says why');
}
