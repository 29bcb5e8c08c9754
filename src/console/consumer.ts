// One request of a browser: let in or refused, answered by a route, by a file of the page, or by the stream.

import {
  ClientGoneError,
  type GivenHeaders,
  HttpConsumer,
  type HttpScope,
  headerOf,
  StopConsumer,
} from '../../channels/index.js';
import type { Access } from './access/access.js';
import { writeAudit } from './audit.js';
import { actorOf, type ConsoleContext, type Visitor } from './context.js';
import { badRequest, notFound, RefusedError, refusalOf } from './errors.js';
import { type Pages, safeHeaders } from './pages.js';
import { isAtLeast } from './roles.js';
import { type AuditNote, type ChangeRoute, Download, type RouteRequest, type Router } from './router.js';
import { sessionView } from './routes/session.js';
import { runStream, type StreamSource } from './stream.js';

export interface ConsumerOptions {
  readonly context: ConsoleContext;
  readonly access: Access;
  readonly router: Router;
  readonly pages: Pages;
  /** The path of the console without a slash at the end; empty for the root. */
  readonly prefix: string;
  readonly sources: readonly StreamSource[];
}

export class ConsoleConsumer extends HttpConsumer {
  readonly #options: ConsumerOptions;
  readonly #ended = new AbortController();

  constructor(options: ConsumerOptions) {
    super();
    this.#options = options;
  }

  override disconnect(): void {
    this.#ended.abort();
    this.#http.extensions.stopping?.removeEventListener('abort', this.#onStop);
  }

  readonly #onStop = (): void => this.#ended.abort();

  override async handle(body: Uint8Array): Promise<void> {
    const { prefix, context } = this.#options;
    const { path, method, extensions } = this.#http;
    extensions.stopping?.addEventListener('abort', this.#onStop);
    if (prefix !== '' && path === prefix) return await this.#answer(308, '', [['location', `${prefix}/`]]);
    if (!path.startsWith(`${prefix}/`)) return await this.#answer(404, 'Not Found\n');
    const rest = path.slice(prefix.length + 1);
    if (rest !== 'api' && !rest.startsWith('api/')) return await this.#page(rest);
    try {
      await this.#api(method, rest, body);
    } catch (error) {
      // A browser leaves whenever a page is closed or a filter changed.
      if (error instanceof ClientGoneError || error instanceof StopConsumer) throw error;
      const { status, code, message, headers } = refusalOf(error);
      if (status === 500) context.logger.error(`the console failed at ${method} ${path}`, error);
      await this.#json(status, { error: { code, message } }, Object.entries(headers));
    }
  }

  get #http(): HttpScope {
    return this.scope as HttpScope;
  }

  async #page(path: string): Promise<void> {
    const { method } = this.#http;
    if (method !== 'GET' && method !== 'HEAD') return await this.#answer(405, '', [['allow', 'GET, HEAD']]);
    const file = this.#options.pages.find(path);
    if (file === undefined) return await this.#answer(404, 'Not Found\n');
    if (headerOf(this.#http, 'if-none-match') === file.etag)
      return await this.#answer(304, '', [...file.headers]);
    const isSmall = /\bgzip\b/.test(headerOf(this.#http, 'accept-encoding') ?? '');
    const encoding = isSmall ? [['content-encoding', 'gzip'] as const] : [];
    await this.#answer(200, isSmall ? file.gzip : file.plain, [...file.headers, ...encoding]);
  }

  async #api(method: string, path: string, bytes: Uint8Array): Promise<void> {
    const { access, router, context } = this.#options;
    const scope = this.#http;
    access.refuseForeign(scope);
    if (path === 'api/sign-in' && method === 'POST') {
      const visitor = await access.signIn(scope, parseBody(scope, bytes));
      return await this.#json(200, await sessionView(context, visitor));
    }
    const visitor = await access.visitorOf(scope);
    if (visitor === null) throw new RefusedError(401, 'LINOD_ERR_NOT_SIGNED_IN', 'nobody is signed in');
    if (path === 'api/sign-out' && method === 'POST') return await this.#signOut(visitor);
    if (path === 'api/stream' && method === 'GET') return await this.#stream(visitor);
    const found = router.find(method === 'HEAD' ? 'GET' : method, path);
    if (found === undefined) throw notFound(`route ${method} ${path}`);
    const { route, params } = found;
    if (route.method === 'POST' && !isAtLeast(visitor.role, route.role))
      throw new RefusedError(403, 'LINOD_ERR_ROLE', `${route.action} needs the role ${route.role}`);
    const request: RouteRequest = {
      context,
      visitor,
      actor: actorOf(context, visitor),
      params,
      query: new URLSearchParams(scope.queryString),
      body: route.method === 'GET' ? undefined : parseBody(scope, bytes),
      signal: this.#ended.signal,
    };
    if (route.method === 'GET') return await this.#result(await route.handle(request));
    await access.refuseForged(scope, visitor);
    await this.#result(await this.#change(route, request));
  }

  /** Begins the stream, which goes on when this has returned. */
  async #stream(visitor: Visitor): Promise<void> {
    const { access, sources, context } = this.#options;
    const query = new URLSearchParams(this.#http.queryString);
    await this.startEvents(safeHeaders);
    const running = runStream({
      sources,
      request: {
        visitor,
        query,
        // A page that has closed its stream for a while cannot send the header.
        lastEventId: this.lastEventId ?? query.get('after') ?? undefined,
        signal: this.#ended.signal,
      },
      send: (event) => this.sendEvent(event),
      comment: () => this.sendBody(': alive\n\n', { moreBody: true }),
      isAllowed: async () => (await access.visitorOf(this.#http)) !== null,
    });
    void running
      .catch((error: unknown) => {
        if (!(error instanceof ClientGoneError) && refusalOf(error).status === 500)
          context.logger.error('a stream of the console failed', error);
      })
      .finally(() => this.#ended.abort())
      .then(() => this.tooSlow());
  }

  /** Makes a change. The audit gets it, also when it fails. */
  async #change(route: ChangeRoute, request: RouteRequest): Promise<unknown> {
    const { context, access } = this.#options;
    const { visitor } = request;
    let note: AuditNote = { target: Object.values(request.params).join(' ') };
    const write = (detail: string | undefined) =>
      writeAudit(context, {
        user: visitor.name,
        role: visitor.role,
        address: access.addressOf(this.#http),
        action: route.action,
        ...note,
        ...(detail === undefined ? {} : { detail }),
      });
    let result: unknown;
    try {
      result = await route.handle(request, (given) => {
        note = given;
      });
    } catch (error) {
      await write(`${note.detail ?? ''} failed: ${refusalOf(error).message}`.trim());
      throw error;
    }
    await write(note.detail);
    return result;
  }

  async #signOut(visitor: Visitor): Promise<void> {
    const { access } = this.#options;
    await access.refuseForged(this.#http, visitor);
    await access.signOut(this.#http, visitor);
    await this.#json(200, {});
  }

  async #result(result: unknown): Promise<void> {
    if (!(result instanceof Download)) return await this.#json(200, result ?? {});
    const headers: GivenHeaders = [
      ['content-type', 'text/plain; charset=utf-8'],
      ['content-disposition', `attachment; filename="${result.fileName}"`],
      ['cache-control', 'no-store'],
      ...safeHeaders,
    ];
    await this.sendHeaders({ headers });
    if (this.#http.method === 'HEAD') return await this.sendBody('');
    for await (const chunk of result.chunks) await this.sendBody(chunk, { moreBody: true });
    // A part of a file must not look like all of it.
    if (this.#ended.signal.aborted) throw new StopConsumer();
    await this.sendBody('');
  }

  async #json(status: number, value: unknown, headers: GivenHeaders = []): Promise<void> {
    await this.#answer(status, JSON.stringify(value), [
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
      ...(headers as ReadonlyArray<readonly [string, string]>),
    ]);
  }

  async #answer(
    status: number,
    body: string | Uint8Array,
    headers: ReadonlyArray<readonly [string, string]> = [],
  ): Promise<void> {
    const isHead = this.#http.method === 'HEAD';
    await this.sendResponse(status, isHead ? '' : body, [...headers, ...safeHeaders]);
  }
}

/** A form of another site cannot send JSON without asking first. */
function parseBody(scope: HttpScope, bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  if (!/^application\/json\s*(;|$)/i.test(headerOf(scope, 'content-type') ?? ''))
    throw badRequest('expected the content type application/json');
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw badRequest('expected JSON');
  }
}
