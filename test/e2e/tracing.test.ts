// One trace over HTTP request, message, run in a process, and log line, seen by a collector in memory.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { SocketClient } from '../support/protocol-server.js';
import { until } from '../support/until.js';

const built = (path: string) => pathToFileURL(`${process.cwd()}/dist/${path}`).href;
const packages = (name: string) => import.meta.resolve(name);

interface CollectedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Preloaded into each process, as `NODE_OPTIONS` of the guide does. Each span that ends goes to the collector. */
const sdk = `import { context, propagation, trace } from '${packages('@opentelemetry/api')}';
import { AsyncLocalStorageContextManager } from '${packages('@opentelemetry/context-async-hooks')}';
import { W3CTraceContextPropagator } from '${packages('@opentelemetry/core')}';
import { BasicTracerProvider, SimpleSpanProcessor } from '${packages('@opentelemetry/sdk-trace-base')}';
const exporter = {
  export(spans, done) {
    const body = JSON.stringify(spans.map((span) => ({
      name: span.name, kind: span.kind, ...span.spanContext(),
      parentId: span.parentSpanContext?.spanId ?? null, attributes: span.attributes,
    })));
    fetch(process.env.COLLECTOR, { method: 'POST', body }).then(() => done({ code: 0 }), () => done({ code: 1 }));
  },
  async shutdown() {},
};
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
`;

const config = `
import { Consumer, HttpConsumer, ProtocolTypeRouter, URLRouter, WebsocketConsumer, path } from '${built('channels/index.js')}';
class Order extends HttpConsumer {
  async handle() {
    await this.layer.send('linod_test', { type: 'job.run', rule: 'traced_work', by: 'web' });
    await this.sendResponse(202, 'ordered');
  }
}
class Chat extends WebsocketConsumer {
  async receive(text) { await this.send(text); }
}
export default {
  name: 'test',
  shippedProcedures: false,
  application: ({ layer }) => ProtocolTypeRouter({
    http: URLRouter([path('/orders/:number/', Consumer.application(() => new Order({ layer })))]),
    websocket: Consumer.application(() => new Chat()),
  }),
};
`;

const work = `import { type BaseRequest, scheduleDaily } from 'linod';
scheduleDaily({ every: 300, runIn: 'process' }, async function traced_work(ar: BaseRequest) {
  ar.info('the work is done');
});
`;

t.test('one trace id over HTTP request, message, run in a process and log line', async (t) => {
  const spans: CollectedSpan[] = [];
  const collector = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      spans.push(...(JSON.parse(body) as CollectedSpan[]));
      response.end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  t.teardown(() => collector.close());
  const { port } = collector.address() as AddressInfo;
  const site = new LiveSite(t, {
    files: { 'linod.config.ts': config, 'procedures/work.ts': work, 'tracing.mjs': sdk },
  });
  site.environment = {
    NODE_OPTIONS: `--import ${pathToFileURL(site.path('tracing.mjs')).href}`,
    COLLECTOR: `http://127.0.0.1:${port}`,
  };
  await site.startWorker('--initiate');
  const server = site.start('linod', 'serve', '--http', '127.0.0.1:0');
  const [, web] = /127\.0\.0\.1:(\d+)/.exec(await server.printed(/serving site/)) ?? [];
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  await fetch(`http://127.0.0.1:${web}/orders/7/?secret=1`, { headers: { traceparent } });
  const ofTrace = () => spans.filter((span) => span.traceId === traceId);
  const named = (name: string) => ofTrace().find((span) => span.name === name);
  await until('the run was traced', () => named('run traced_work') !== undefined);
  await until('the request was traced', () => named('GET /orders/:number/') !== undefined);
  await until('the handler was traced', () => named('process linod_test') !== undefined);

  const [request, send, handle, run] = [
    'GET /orders/:number/',
    'send linod_test',
    'process linod_test',
    'run traced_work',
  ].map(named);
  t.equal(request?.parentId, 'b7ad6b7169203331');
  t.same([send?.parentId, handle?.parentId, run?.parentId], [request?.spanId, send?.spanId, handle?.spanId]);
  t.match(request?.attributes, {
    'http.request.method': 'GET',
    'http.route': '/orders/:number/',
    'http.response.status_code': 202,
    'url.path': '/orders/7/',
  });
  t.notMatch(JSON.stringify(spans), /secret/);
  t.match(send?.attributes, {
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'linod_test',
  });
  t.match(handle?.attributes, { 'messaging.operation.type': 'process', 'channels.message.type': 'job.run' });
  t.match(run?.attributes, { 'linod.run_in': 'process', 'linod.attempt': 1 });
  const { text } = await site.logged(/the work is done/);
  t.match(text, `"trace_id":"${traceId}"`);
  t.same(
    spans.filter(({ attributes }) => String(attributes['messaging.destination.name']).endsWith('.log')),
    [],
    'the log is not traced',
  );

  const socket = await SocketClient.open(t, `ws://127.0.0.1:${web}/`);
  socket.wire.send('tere');
  await socket.hasMessages(1);
  await until('the socket message was traced', () => spans.some(({ name }) => name === 'process websocket'));
  t.equal(spans.find(({ name }) => name === 'process websocket')?.parentId, null);
});
