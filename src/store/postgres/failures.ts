// What PostgreSQL's errors mean for whoever has to act on them.

import pg from 'pg';
import { StoreUnavailableError } from '../errors.js';
import type { Target } from './target.js';

/**
 * The server ends the connection, or this one cannot do what it is wanted for.
 * Source: PostgreSQL's manual, appendix A: 08 connection, 25006 read only, 25P03 idle in a transaction, 53300 too many
 * connections, 57P… the server ends it.
 */
const connectionStates = /^(08...|25006|25P03|53300|57P0.)$/;

/** Whether the connection is of no more use. */
export function isConnectionFailure(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return connectionStates.test(error.code ?? '');
  // What else `pg` throws is about the socket, unless a value could not be sent at all.
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError);
}

/** Why a connection could not be made, with what to do about it. */
export function cannotConnect(target: Target, error: unknown): StoreUnavailableError {
  return new StoreUnavailableError(target.name, readable(error, adviceOnConnecting(target, error)), {
    passes: mayPass(error),
  });
}

/** What `pg` itself says of a server that is silent or hangs up has no code. */
const passingWords = /timeout|terminated/;
/** A host that nobody knows, and a socket that is not for this user. */
const lastingSystemErrors = new Set(['ENOTFOUND', 'EACCES', 'EPERM']);

/**
 * Whether a connection may be made later with nothing changed: not where the server knows no such user, password or
 * database, or speaks no TLS.
 */
function mayPass(error: unknown): boolean {
  const first = firstOf(error);
  if (first instanceof pg.DatabaseError) return connectionStates.test(first.code ?? '');
  if (!(first instanceof Error)) return false;
  // Of Node's errors those of the system name a call, such as `connect`; those of TLS do not.
  if ('syscall' in first) return !lastingSystemErrors.has(codeOf(first));
  return codeOf(first) === '' && passingWords.test(first.message);
}

/** Why a connection was lost. */
export function connectionLost(target: Target, error: unknown): StoreUnavailableError {
  const isReadOnly = codeOf(error) === '25006';
  const advice = isReadOnly ? 'the server is a standby, or set read-only: name the primary' : '';
  const how = { happened: 'lost', passes: !isReadOnly };
  return new StoreUnavailableError(target.name, readable(error, advice), how);
}

/** Makes an error of rights one that says how to give them; leaves others alone. */
export function explainRights(target: Target, error: unknown): unknown {
  if (codeOf(error) !== '42501') return error;
  const advice = `user ${target.user} must be able to create tables there: GRANT CREATE ON SCHEMA public TO "${target.user}"`;
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
      return 'is the server running, and does it listen there?';
    default:
      return '';
  }
}

function codeOf(error: unknown): string {
  const first = firstOf(error);
  return first instanceof Error && 'code' in first ? String(first.code) : '';
}

/** A name with several addresses gives an error for each, and an error of them all without a message. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}

function readable(error: unknown, advice: string): Error {
  const first = firstOf(error);
  const message = first instanceof Error ? first.message : String(first);
  return new Error(advice === '' ? message : `${message}; ${advice}`, { cause: error });
}
