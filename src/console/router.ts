// The routes of the API: a method, a path, and what answers. JSON comes in, JSON goes out.

import * as v from 'valibot';
import type { ActorContext } from '../actors/tables.js';
import type { Role } from './api.js';
import type { ConsoleContext, Visitor } from './context.js';
import { badRequest } from './errors.js';

/** One request, let in and read. */
export interface RouteRequest {
  readonly context: ConsoleContext;
  readonly visitor: Visitor;
  /** For the functions that the commands call, too. */
  readonly actor: ActorContext;
  /** The `:names` of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON of a change; undefined for none. */
  readonly body: unknown;
  /** Aborted when the server stops. Sending throws once the client has left. */
  readonly signal: AbortSignal;
}

/** What a change did, for the audit. */
export interface AuditNote {
  /** For example `rule 3`. */
  readonly target: string;
  readonly detail?: string;
  readonly undo?: { readonly rule: number; readonly revision: number } | null;
}

interface ReadRoute {
  readonly method: 'GET';
  readonly path: string;
  readonly handle: (request: RouteRequest) => Promise<unknown>;
}

/** A change is written to the audit, also when it fails. */
export interface ChangeRoute {
  readonly method: 'POST';
  readonly path: string;
  /** Its name in the audit, for example `rule.set`. */
  readonly action: string;
  /** Who may do it, and everybody above. */
  readonly role: Role;
  /** @param note says what the change is done to; call it before anything can fail */
  readonly handle: (request: RouteRequest, note: (note: AuditNote) => void) => Promise<unknown>;
}

export type Route = ReadRoute | ChangeRoute;

/** @param path without a slash in front: `api/jobs/:id` */
export function read(path: string, handle: ReadRoute['handle']): Route {
  return { method: 'GET', path, handle };
}

/** @param action its name in the audit, for example `rule.set` */
export function change(
  path: string,
  action: string,
  handle: ChangeRoute['handle'],
  role: Role = 'operator',
): Route {
  return { method: 'POST', path, action, handle, role };
}

/** A route may return this in place of JSON: a file to be saved. */
export class Download {
  readonly fileName: string;
  /** An empty one, too, finds out whether the client has left. */
  readonly chunks: AsyncIterable<string>;

  /** @param fileName of letters, digits, `-`, `_` and `.` */
  constructor(fileName: string, chunks: AsyncIterable<string>) {
    this.fileName = fileName;
    this.chunks = chunks;
  }
}

interface FoundRoute {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export class Router {
  readonly #routes: ReadonlyArray<{ readonly route: Route; readonly pattern: RegExp }>;

  constructor(routes: readonly Route[]) {
    const variables = (path: string) => path.split(':').length;
    // `rules/bulk` is tried before `rules/:id`.
    this.#routes = [...routes]
      .sort((a, b) => variables(a.path) - variables(b.path))
      .map((route) => ({ route, pattern: RegExp(`^${route.path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`) }));
  }

  find(method: string, path: string): FoundRoute | undefined {
    for (const { route, pattern } of this.#routes) {
      const found = route.method === method ? pattern.exec(path) : null;
      if (found !== null) return { route, params: { ...found.groups } };
    }
    return undefined;
  }
}

/** The number in the path. @throws RefusedError with 400 */
export function numberParam({ params }: Pick<RouteRequest, 'params'>, name: string): number {
  return wholeNumber(name, params[name] ?? '');
}

/** A whole number of the query. @throws RefusedError with 400 */
export function numberQuery(
  { query }: Pick<RouteRequest, 'query'>,
  name: string,
  { byDefault, atMost = Number.MAX_SAFE_INTEGER }: { byDefault: number; atMost?: number },
): number {
  const text = query.get(name);
  if (text === null || text === '') return byDefault;
  return Math.min(wholeNumber(name, text), atMost);
}

/** The body, checked. @throws RefusedError with 400 */
export function bodyOf<S extends v.GenericSchema>(
  { body }: Pick<RouteRequest, 'body'>,
  schema: S,
): v.InferOutput<S> {
  const found = v.safeParse(schema, body);
  if (found.success) return found.output;
  const [issue] = found.issues;
  const where = issue === undefined ? null : v.getDotPath(issue);
  throw badRequest(`the request's body${where === null ? '' : `, at ${where}`}: ${issue?.message ?? ''}`);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(`expected ${name} to be a whole number, got: ${JSON.stringify(text.slice(0, 50))}`);
}
