// Calls the server's JSON API.

import type { ErrorBody, Requested, SessionView, SignIn } from '../api.js';
import { parseJson, writeJson } from './json.js';
import { prefix } from './router.js';
import { session } from './session.js';

/** Why a call failed, as a sentence for the user. */
export class ApiError extends Error {
  readonly code: string;
  /** The status of the answer; 0 without an answer. */
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }

  /** Whether the same call can succeed later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** Gets data. `path` begins after `api/`: `rules?state=paused`. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call('GET', path, undefined, signal)) as T;
}

/** Changes something. A bigint in the body is written as an integer. */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  return (await call('POST', path, writeJson(body))) as T;
}

/** Asks for a change, and returns what came of it as a sentence. */
export async function request(path: string, body?: unknown): Promise<string> {
  return (await post<Requested>(path, body)).text;
}

/** Finds out who is signed in. */
export async function loadSession(): Promise<void> {
  try {
    session.value = await get<SessionView>('session');
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  }
}

/** Signs in. @throws ApiError when the server refuses */
export async function signIn(body: SignIn): Promise<void> {
  session.value = await post<SessionView>('sign-in', body);
}

async function call(method: string, path: string, body?: string, signal?: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const token = session.peek()?.token;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (token !== undefined && method !== 'GET') headers['x-console-token'] = token;
  const init = { method, headers, ...(body === undefined ? {} : { body }), ...(signal && { signal }) };
  const response = await fetch(`${prefix}api/${path}`, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError('NO_ANSWER', 0, 'The console’s server does not answer.');
  });
  const data = readBody(await response.text());
  if (response.ok) return data;
  if (response.status === 401) session.value = null;
  throw errorOf(response.status, data);
}

function readBody(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

function errorOf(status: number, data: unknown): ApiError {
  const { code = 'UNKNOWN', message = `the server answered with status ${status}` } =
    (data as Partial<ErrorBody> | null)?.error ?? ({} as Partial<ErrorBody['error']>);
  const sentence = message.charAt(0).toUpperCase() + message.slice(1);
  return new ApiError(code, status, /[.!?]$/.test(sentence) ? sentence : `${sentence}.`);
}

/** What went wrong, as a sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
