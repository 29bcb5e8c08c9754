// The log: its records from any position on, and whether it is complete.

import { type PageOptions, type RecordPage, readAfter, readAll, readBefore } from '../../log/read/page.js';
import { type Position, parsePosition, positionText } from '../../log/read/position.js';
import type { LogPage } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { badRequest, notFound } from '../errors.js';
import { Completeness } from '../log/completeness.js';
import { logLine, textOf, wantedOf } from '../log/log-lines.js';
import { LogSource } from '../log/log-source.js';
import { Download, numberQuery, type Route, type RouteRequest, read } from '../router.js';
import type { StreamSourceFactory } from '../stream.js';

const checks = new WeakMap<ConsoleContext, Completeness>();

export const logSource: StreamSourceFactory = (context) =>
  new LogSource(context, async () => await checks.get(context)?.close());

export const logRoutes: readonly Route[] = [
  read('api/log', async (request) => {
    const { context, query } = request;
    const options = optionsOf(request, numberQuery(request, 'limit', { byDefault: 200, atMost: 1000 }));
    const after = positionOf(query, 'after');
    const { logFile } = context.site;
    const page =
      after === undefined
        ? await readBefore(logFile, positionOf(query, 'before'), options)
        : await readAfter(logFile, after, options);
    return logPage(page);
  }),
  read('api/log/around', async ({ context, query, signal, ...request }) => {
    const position = positionOf(query, 'id');
    if (position === undefined) throw badRequest('expected id to be the position of a line');
    const count = numberQuery({ query, ...request }, 'lines', { byDefault: 50, atMost: 500 });
    const { logFile, settings } = context.site;
    const options = { timezone: settings.timezone, signal };
    const [earlier, later] = await Promise.all([
      readBefore(logFile, position, { ...options, count }),
      readAfter(logFile, position, { ...options, count: count + 1 }),
    ]);
    const lines = [...(earlier?.records ?? []), ...(later?.records ?? [])];
    return logPage(later && { ...later, records: lines, before: earlier?.before });
  }),
  read('api/log/download', async (request) => {
    const { site } = request.context;
    return new Download(`${site.name}.log`, texts(site.logFile, optionsOf(request, 0)));
  }),
  read('api/log/senders', async ({ context }) => {
    const check = checks.get(context) ?? new Completeness(context);
    checks.set(context, check);
    return check.view();
  }),
];

async function* texts(path: string, options: PageOptions): AsyncGenerator<string> {
  for await (const records of readAll(path, options))
    yield records.map((record) => `${textOf(record)}\n`).join('');
}

function optionsOf({ context, query, signal }: RouteRequest, count: number): PageOptions {
  const { timezone } = context.site.settings;
  return { wanted: wantedOf(query, timezone), timezone, signal, count };
}

/** @throws RefusedError with 400 */
function positionOf(query: URLSearchParams, name: string): Position | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const position = parsePosition(text);
  if (position === undefined) throw badRequest(`expected ${name} to be the position of a line`);
  return position;
}

function logPage(page: RecordPage | undefined): LogPage {
  if (page === undefined) throw notFound('such position any more: its log file was removed');
  const { records, before, after, isEnd } = page;
  return {
    lines: records.map(logLine),
    before: before === undefined ? null : positionText(before),
    after: after === undefined ? null : positionText(after),
    isEnd,
  };
}
