// Routers: applications that choose another application by the scope. A router is an application, so routers
// nest.

import type { Application, Scope, UrlRoute } from './application.js';
import { InvalidOptionError, NoRouteError } from './errors.js';
import { nameRoute } from './tracing/requests.js';

/**
 * Chooses an application by `scope.type`: `http`, `websocket`, `channel`.
 *
 * @throws NoRouteError (`CHANNELS_ERR_NO_ROUTE`) for a type that is not in the map
 * @example ProtocolTypeRouter({ websocket: URLRouter([…]), channel: ChannelNameRouter({…}) })
 * Source: django/channels channels/routing.py.
 */
export function ProtocolTypeRouter(applications: Readonly<Record<string, Application>>): Application {
  return router('protocol type', applications, (scope) => scope.type);
}

/**
 * Chooses an application by `scope.channel`, the channel that a worker listens on.
 *
 * @throws NoRouteError for a channel that is not in the map, and a scope that has none
 * @example ChannelNameRouter({ linod_mysite: LinodConsumer.application(() => new LinodConsumer(tasks)) })
 */
export function ChannelNameRouter(applications: Readonly<Record<string, Application>>): Application {
  return router('channel', applications, (scope) => scope.channel);
}

function router(
  what: string,
  applications: Readonly<Record<string, Application>>,
  keyOf: (scope: Scope) => string | undefined,
): Application {
  const byKey = new Map(Object.entries(applications));
  return async (scope, receive, send) => {
    const key = keyOf(scope);
    const application = key === undefined ? undefined : byKey.get(key);
    if (application === undefined) {
      const existing = [...byKey.keys()].join(', ') || 'none';
      const wanted = key === undefined ? `a scope without ${what}` : `${what} ${JSON.stringify(key)}`;
      throw new NoRouteError(`no application for ${wanted}; there are: ${existing}`);
    }
    await application(scope, receive, send);
  };
}

/** A pattern and its application. Create it with `path` or `rePath`. */
export interface Route {
  readonly pattern: string;
  /** Matches the start of a path without its first slash. */
  readonly expression: RegExp;
  /** Whether a match must reach the end of the path. A URLRouter may follow instead. */
  readonly whole: boolean;
  readonly application: Application;
}

/**
 * A route for a path. `:name` stands for one or more characters other than a slash. A slash at the start is
 * ignored; a slash at the end counts. Before a URLRouter the path is a prefix, and the router gets the rest.
 *
 * @throws InvalidOptionError when a name occurs twice
 * @example path('/room/:name/', RoomConsumer.application(() => new RoomConsumer()))
 */
export function path(pattern: string, application: Application): Route {
  const names = new Set<string>();
  const source = pattern
    .replace(/^\//, '')
    .replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    .replace(/:([a-zA-Z_]\w*)/g, (_, name: string) => {
      if (names.has(name)) throw new InvalidOptionError(`:${name}`, 'in a path once', pattern);
      names.add(name);
      return `(?<${name}>[^/]+)`;
    });
  return { pattern, expression: new RegExp(source, 'uy'), whole: true, application };
}

/**
 * A route for an expression. It matches the start of the path without its first slash. Add `$` to match the
 * whole path.
 *
 * @example rePath(/room\/(?<number>\d+)\/$/, application)
 */
export function rePath(expression: RegExp, application: Application): Route {
  const flags = `${expression.flags.replace(/[gy]/g, '')}y`;
  return {
    pattern: String(expression),
    expression: new RegExp(expression.source, flags),
    whole: false,
    application,
  };
}

/**
 * Chooses an application by `scope.path`: the first route that matches, nested URLRouters included. The
 * application finds the parameters in `scope.urlRoute`, a `UrlRoute`.
 *
 * @throws NoRouteError for a path that no route fits
 * @example URLRouter([path('/chat/', URLRouter([path('/:room/', chat)])), path('/status', status)])
 */
export function URLRouter(routes: readonly Route[]): Application {
  const application: Application = async (scope, receive, send) => {
    const found = resolve(routes, scope.path ?? '', { args: [], kwargs: {} });
    if (found === undefined) {
      const existing = routes.map((route) => route.pattern).join(', ') || 'none';
      throw new NoRouteError(`no route for path ${JSON.stringify(scope.path)}; there are: ${existing}`);
    }
    nameRoute(scope, `/${found.pattern.replace(/^\//, '')}`);
    await found.application({ ...scope, urlRoute: found.urlRoute }, receive, send);
  };
  routesOf.set(application, routes);
  return application;
}

/** The routes of nested routers. When none of them matches, the search goes on with the next outer route. */
const routesOf = new WeakMap<Application, readonly Route[]>();

interface Resolved {
  readonly application: Application;
  readonly urlRoute: UrlRoute;
  /** The patterns of the routers together. */
  readonly pattern: string;
}

function resolve(routes: readonly Route[], rawPath: string, outer: UrlRoute): Resolved | undefined {
  const rest = rawPath.replace(/^\//, '');
  for (const { expression, whole, application, pattern } of routes) {
    expression.lastIndex = 0;
    const match = expression.exec(rest);
    if (match === null) continue;
    const remaining = rest.slice(match[0].length);
    const urlRoute = extend(outer, match);
    const nested = routesOf.get(application);
    if (nested === undefined) {
      if (whole && remaining !== '') continue;
      return { application, urlRoute, pattern };
    }
    const found = resolve(nested, remaining, urlRoute);
    if (found !== undefined) return { ...found, pattern: joined(pattern, found.pattern) };
  }
  return undefined;
}

function joined(outer: string, inner: string): string {
  return `${outer.replace(/\/$/, '')}/${inner.replace(/^\//, '')}`;
}

/** As in Django: named groups replace unnamed ones, and groups without a match are omitted. */
function extend(outer: UrlRoute, match: RegExpExecArray): UrlRoute {
  const isText = (group: string | undefined): group is string => group !== undefined;
  if (match.groups === undefined)
    return { ...outer, args: [...outer.args, ...match.slice(1).filter(isText)] };
  const named = Object.fromEntries(Object.entries(match.groups).filter(([, value]) => isText(value)));
  return { ...outer, kwargs: { ...outer.kwargs, ...named } };
}
