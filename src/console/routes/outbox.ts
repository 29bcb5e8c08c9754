// Mails and pushes, for a site that has the shipped procedures.

import type { Redaction } from '../../log/redaction.js';
import type { OutboxMessage } from '../api.js';
import { badRequest, notFound } from '../errors.js';
import type { ConsoleOutbox, OutboxQuery } from '../outbox.js';
import { change, numberParam, numberQuery, type Route, type RouteRequest, read } from '../router.js';

export const outboxRoutes: readonly Route[] = [
  read('api/outbox', async (request) => {
    const { query, context } = request;
    const page = await outboxOf(request).list({
      kind: kindOf(query.get('kind') ?? 'mail'),
      state: query.get('state') || undefined,
      after: query.has('after') ? String(numberQuery(request, 'after', { byDefault: 0 })) : undefined,
      limit: numberQuery(request, 'limit', { byDefault: 100, atMost: 500 }),
    });
    const rows = page.rows.map((row) => ({
      ...row,
      ...hidden(context.redaction, { to: row.to, subject: row.subject }),
    }));
    return { ...page, rows };
  }),
  read('api/outbox/:kind/:id', async (request) => {
    const kind = kindOf(request.params.kind);
    const id = numberParam(request, 'id');
    const found = await outboxOf(request).find(kind, id);
    if (found === undefined) throw notFound(`${kind} ${id}`);
    return shownMessage(request.context.redaction, found);
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

/** The paths of a mail: its headers in lower case, `text` and `html`. Those of a push are in its JSON. */
function shownMessage(redaction: Redaction, { headers, text, html }: OutboxMessage): OutboxMessage {
  const given = Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]));
  const named = hidden(redaction, given);
  return {
    headers: headers.map(({ name, value }) => ({ name, value: named[name.toLowerCase()] ?? value })),
    ...hidden(redaction, { text: redaction.applyToJson(text), html }),
  };
}

function hidden<T extends Readonly<Record<string, string | null>>>(redaction: Redaction, texts: T): T {
  return JSON.parse(redaction.applyToJson(JSON.stringify(texts)));
}

function kindOf(text: string | undefined): OutboxQuery['kind'] {
  if (text === 'mail' || text === 'push') return text;
  throw badRequest(`expected mail or push, got: ${JSON.stringify(text)}`);
}
