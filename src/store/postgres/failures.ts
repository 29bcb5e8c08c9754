// Turns PostgreSQL's errors into advice.

import pg from 'pg';
import { StoreUnavailableError } from '../errors.js';
import type { Target } from './target.js';

/**
 * The server ends the connection, or the connection cannot do what it is for. Source: PostgreSQL's manual,
 * appendix A: 08 connection, 25006 read only, 25P03 idle in a transaction, 53300 too many connections, 57P…
 * the server ends it.
 */
const connectionStates = /^(08...|25006|25P03|53300|57P0.)$/;

/** Whether the connection is unusable. */
export function isConnectionFailure(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return connectionStates.test(error.code ?? '');
  // All other errors of `pg` are about the socket, unless a value could not be sent.
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError);
}

/** The error of a failed connection, with advice. */
export function cannotConnect(target: Target, error: unknown): StoreUnavailableError {
  return new StoreUnavailableError(target.name, readable(error, adviceOnConnecting(target, error)), {
    passes: mayPass(error),
  });
}

/** `pg` reports a silent server or a hang-up without a code. */
const passingWords = /timeout|terminated/;
/** An unknown host, and a socket without permission. */
const lastingSystemErrors = new Set(['ENOTFOUND', 'EACCES', 'EPERM']);

/**
 * Whether a later attempt may succeed with nothing changed. Not if the server knows no such user, password or
 * database, or does not support TLS.
 */
function mayPass(error: unknown): boolean {
  const first = firstOf(error);
  if (first instanceof pg.DatabaseError) return connectionStates.test(first.code ?? '');
  if (!(first instanceof Error)) return false;
  // Node's system errors name a call, such as `connect`; its TLS errors do not.
  if ('syscall' in first) return !lastingSystemErrors.has(codeOf(first));
  return codeOf(first) === '' && passingWords.test(first.message);
}

/** The error of a lost connection. */
export function connectionLost(target: Target, error: unknown): StoreUnavailableError {
  const isReadOnly = codeOf(error) === '25006';
  const advice = isReadOnly ? 'the server is a standby, or set read-only: name the primary' : '';
  const how = { happened: 'lost', passes: !isReadOnly };
  return new StoreUnavailableError(target.name, readable(error, advice), how);
}

/** Adds advice to a permission error; returns others unchanged. */
export function explainRights(target: Target, error: unknown): unknown {
  if (codeOf(error) !== '42501') return error;
  const grant = `GRANT CREATE ON SCHEMA public TO "${target.user}"`;
  const advice = `user ${target.user} must be able to create tables there: ${grant}`;
  return new StoreUnavailableError(target.name, readable(error, advice), { happened: 'cannot use' });
}

function adviceOnConnecting({ database, user }: Target, error: unknown): string {
  switch (codeOf(error)) {
    case '3D000':
      return `create it: createdb --owner ${user} ${database}`;
    case '28P01':
      return 'the password comes from databaseUrl, PGPASSWORD or ~/.pgpass';
    case '28000':
      return `user ${user} must exist, have LOGIN, and be let in by pg_hba.conf`;
    case '53300':
      return "raise the server's max_connections: a worker needs up to 5, and each running job up to 2";
    case 'ECONNREFUSED':
    case 'ENOENT':
      return 'start the server, or correct its address';
    default:
      return '';
  }
}

function codeOf(error: unknown): string {
  const first = firstOf(error);
  return first instanceof Error && 'code' in first ? String(first.code) : '';
}

/** Node throws one error for each address of a host, inside an AggregateError without a message. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}

function readable(error: unknown, advice: string): Error {
  const first = firstOf(error);
  const message = first instanceof Error ? first.message : String(first);
  return new Error(advice === '' ? message : `${message}; ${advice}`, { cause: error });
}
