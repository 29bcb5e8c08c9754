// Mails and pushes, for a site that has the shipped procedures.

import { badRequest, notFound } from '../errors.js';
import type { ConsoleOutbox, OutboxQuery } from '../outbox.js';
import { change, numberParam, numberQuery, type Route, type RouteRequest, read } from '../router.js';

export const outboxRoutes: readonly Route[] = [
  read('api/outbox', async (request) => {
    const { query } = request;
    return await outboxOf(request).list({
      kind: kindOf(query.get('kind') ?? 'mail'),
      state: query.get('state') ?? undefined,
      after: query.get('after') ?? undefined,
      limit: numberQuery(request, 'limit', { byDefault: 100, atMost: 500 }),
    });
  }),
  read('api/outbox/:kind/:id', async (request) => {
    const kind = kindOf(request.params.kind);
    const id = numberParam(request, 'id');
    const found = await outboxOf(request).find(kind, id);
    if (found === undefined) throw notFound(`${kind} ${id}`);
    return found;
  }),
  change('api/outbox/:kind/:id/retry', 'outbox.retry', async (request, note) => {
    const { kind: name, id: text } = request.params;
    note({ target: `${name} ${text}` });
    const kind = kindOf(name);
    const id = numberParam(request, 'id');
    if (!(await outboxOf(request).retry(kind, id)))
      throw notFound(`failed or deferred ${kind} with number ${id}`);
    return {};
  }),
];

function outboxOf({ context: { outbox } }: RouteRequest): ConsoleOutbox {
  if (outbox === undefined) throw notFound('outbox: the site does not load linod/procedures');
  return outbox;
}

function kindOf(text: string | undefined): OutboxQuery['kind'] {
  if (text === 'mail' || text === 'push') return text;
  throw badRequest(`expected mail or push, got: ${JSON.stringify(text)}`);
}
