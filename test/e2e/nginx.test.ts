// Two servers of a site behind nginx, with the configuration that docs/guides/server.md prints.

import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { LiveSite } from '../support/live-site.js';
import { type Nginx, socketFolder, startNginx } from '../support/nginx.js';
import { eventually, type Program } from '../support/programs.js';
import { SocketClient } from '../support/protocol-server.js';

const built = (path: string) => pathToFileURL(`${process.cwd()}/dist/${path}`).href;

/** Answers say what the application was told; `/events` is a stream of what is posted to `/tell`. */
const config = `
import { Consumer, HttpConsumer, ProtocolTypeRouter, WebsocketConsumer } from '${built('channels/index.js')}';

const facts = ({ scheme, client, headers }, more) => JSON.stringify({
  pid: process.pid, scheme, client: client?.[0], host: headers.find(([name]) => name === 'host')?.[1], ...more,
});
class Pages extends HttpConsumer {
  async handle(body) {
    if (this.scope.path === '/events') {
      await this.groupAdd('told');
      return await this.startEvents();
    }
    if (this.scope.path === '/tell') await this.layer.groupSend('told', { type: 'tell.all', text: String(body) });
    await this.sendResponse(200, facts(this.scope, { bytes: body.length }));
  }
  async tellAll({ text }) { await this.sendEvent({ data: text }); }
}
class Socket extends WebsocketConsumer {
  async receive() { await this.send(facts(this.scope)); }
}
export default {
  name: 'test',
  shippedProcedures: false,
  httpSocketMode: '660',
  httpTrustedProxies: ['unix'],
  application: ({ layer }) => ProtocolTypeRouter({
    http: Consumer.application(() => new Pages({ layer })),
    websocket: Consumer.application(() => new Socket({ layer })),
  }),
};
`;

const site = new LiveSite(t, { files: { 'linod.config.ts': config } });
const folder = socketFolder(site.directory);

async function startServer(name: string): Promise<Program> {
  const server = site.start('linod', 'serve', '--http', `unix:${folder}/${name}.sock`);
  await server.printed(/serving site test/);
  return server;
}

const servers = await Promise.all([startServer('1'), startServer('2')]);
const nginx: Nginx = await startNginx(t, folder);
const { tlsPort: port, ca } = nginx;
const trusted = { ca, servername: 'localhost' };

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(path: string, headers: IncomingHttpHeaders = {}, body?: string | Buffer): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const options = { ...trusted, host: '127.0.0.1', port, path, method };
    const asking = request({ ...options, headers: { host: 'example.org', ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    asking.on('error', reject).end(body);
  });
}

async function openSocket(t: Test, headers: Record<string, string> = {}): Promise<SocketClient> {
  const options = { ...trusted, headers: { host: 'example.org', ...headers } };
  return await SocketClient.open(t, `wss://127.0.0.1:${port}/socket`, [], options);
}

t.test('requests and sockets come from the visitor, by TLS, whatever the visitor claims', async (t) => {
  const claims = {
    'x-forwarded-for': '192.0.2.66, 192.0.2.67',
    'x-forwarded-proto': 'http',
  };
  for (const headers of [{}, claims]) {
    const { status, body } = await ask('/', headers);
    t.equal(status, 200);
    t.match(JSON.parse(body), { scheme: 'https', client: '127.0.0.1', host: 'example.org' });
    const socket = await openSocket(t, headers);
    socket.wire.send('who am I?');
    const [facts] = await socket.hasMessages(1);
    t.match(JSON.parse(String(facts)), { scheme: 'wss', client: '127.0.0.1', host: 'example.org' });
  }
});

t.test('without TLS visitors are sent to it', async (t) => {
  const response = await fetch(`http://127.0.0.1:${nginx.port}/page?x=1`, { redirect: 'manual' });
  t.equal(response.status, 301);
  t.equal(response.headers.get('location'), 'https://127.0.0.1/page?x=1');
});

t.test('events come one by one, while the stream is open', async (t) => {
  const options = { ...trusted, host: '127.0.0.1', port, path: '/events' };
  let text = '';
  const asking = request({ ...options, headers: { host: 'example.org' } }, (response) => {
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  });
  asking.on('error', () => undefined).end();
  t.teardown(() => asking.destroy());
  let asked = 0;
  // The first of them may be earlier than the stream.
  await eventually('the stream is open', async () => {
    await ask('/tell', {}, `hello ${++asked}`);
    return text.includes('data: hello');
  });
  for (const word of ['one', 'two']) {
    await ask('/tell', {}, word);
    await eventually(`${word} comes`, () => text.includes(`data: ${word}\n\n`));
  }
});

t.test('a body of 1 MiB passes, a larger one is refused', async (t) => {
  const largest = await ask('/', {}, Buffer.alloc(1024 * 1024));
  t.match({ ...largest, body: JSON.parse(largest.body) }, { status: 200, body: { bytes: 1024 * 1024 } });
  t.equal((await ask('/', {}, Buffer.alloc(1024 * 1024 + 1))).status, 413);
});

t.test('while a server is restarted the other one serves, and its sockets connect again', async (t) => {
  const sockets = [await openSocket(t), await openSocket(t)];
  for (const socket of sockets) socket.wire.send('which server?');
  const pids = await Promise.all(
    sockets.map(async (socket) => Number(JSON.parse(String((await socket.hasMessages(1))[0])).pid)),
  );
  const first = servers.findIndex(({ pid }) => pid === pids[0]);
  const asking = { isOver: false, statuses: new Set<number>() };
  const asked = (async () => {
    while (!asking.isOver) asking.statuses.add((await ask('/')).status);
  })();
  servers[first]?.kill('SIGTERM');
  t.match(await servers[first]?.ended(), { code: 0 });
  for (const [i, socket] of sockets.entries())
    if (pids[i] === pids[0]) t.equal((await socket.isClosed()).code, 1012);
  const again = await openSocket(t);
  again.wire.send('which server?');
  const [facts] = await again.hasMessages(1);
  t.equal(JSON.parse(String(facts)).pid, servers[1 - first]?.pid);
  await startServer(String(first + 1));
  asking.isOver = true;
  await asked;
  t.same([...asking.statuses], [200], 'no request failed meanwhile');
});
