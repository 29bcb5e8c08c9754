// A site that serves an application: by a worker, and by `linod serve`.

import { cpSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import type { SiteConfig } from '../../src/site/site.js';
import { selfSigned } from '../support/certificate.js';
import { LiveSite } from '../support/live-site.js';
import { readLog } from '../support/log.js';
import { SocketClient } from '../support/protocol-server.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const built = (path: string) => pathToFileURL(`${process.cwd()}/dist/${path}`).href;

const config = `
import { Consumer, HttpConsumer, ProtocolTypeRouter, WebsocketConsumer } from '${built('channels/index.js')}';

class Hello extends HttpConsumer {
  async handle() { await this.sendResponse(200, 'hello'); }
}
class Chat extends WebsocketConsumer {
  groups = ['chat'];
  async receive(text) { await this.layer.groupSend('chat', { type: 'chat.said', text }); }
  async chatSaid({ text }) { await this.send(text); }
}
export default {
  name: 'test',
  shippedProcedures: false,
  application: ({ layer }) => ProtocolTypeRouter({
    http: Consumer.application(() => new Hello()),
    websocket: Consumer.application(() => new Chat({ layer })),
  }),
};
`;

function chatSite(t: Test): LiveSite {
  return new LiveSite(t, { files: { 'linod.config.ts': config } });
}

t.test('two processes serve one chat; linod sockets lists both ends and closes one', async (t) => {
  const site = chatSite(t);
  const worker = await site.startWorker('--initiate', '--http', '127.0.0.1:0');
  const server = site.start(
    'linod',
    'serve',
    '--http',
    '127.0.0.1:0',
    '--http',
    `unix:${site.path('s.sock')}`,
  );
  const lines = [await worker.printed(/serving on/), await server.printed(/serving site test on .*s\.sock/)];
  const ports = lines.map((line) => /127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
  t.equal(await (await fetch(`http://127.0.0.1:${ports[0]}/`)).text(), 'hello');
  const [a, b] = await Promise.all(ports.map((port) => SocketClient.open(t, `ws://127.0.0.1:${port}/room`)));
  if (a === undefined || b === undefined) throw new Error('both are open');
  const listed = async (): Promise<Array<{ id: string; pid: number; groups: string[] }>> =>
    JSON.parse(await site.linod('sockets', '--json'));
  await until('both are members', async () => {
    const sockets = await listed();
    return sockets.length === 2 && sockets.every(({ groups }) => groups.includes('chat'));
  });
  a.wire.send('tere');
  t.same(await a.hasMessages(1), ['tere']);
  t.same(await b.hasMessages(1), ['tere']);
  t.match(await site.linod('sockets'), /id +pid +client +path.*\n.*127\.0\.0\.1 +\/room .*chat/);
  const [first] = await listed();
  t.same(JSON.parse(await site.linod('sockets', 'close', first?.id ?? '', '--json')), {
    id: first?.id,
    closed: true,
  });
  await until('one was closed', () => a.closed?.code === 1001 || b.closed?.code === 1001);
  t.match(await site.run('linod', 'sockets', 'close', 'nobody'), {
    code: 1,
    stderr: /there is no socket "nobody"/,
  });
  t.match(await site.run('linod', 'sockets', 'clos'), { code: 2, stderr: /did you mean "close"/ });

  server.kill('SIGTERM');
  t.match(await server.ended(), { code: 0 });
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  await until('both were closed', () => a.closed !== undefined && b.closed !== undefined);
  t.ok([a, b].some(({ closed }) => closed?.code === 1012));
  const messages = (await readLog(site.logFile)).map(({ text }) => text);
  t.ok(
    messages.some((text) => /^GET \/ 200 in \d+ ms/.test(text)),
    'the request is in the log',
  );
});

t.test('a site without an application says so', async (t) => {
  const site = new LiveSite(t);
  const { code, stderr } = await site.run('linod', 'serve', '--http', '127.0.0.1:0');
  t.equal(code, 2);
  t.match(stderr, /application: there is none/);
});

const neverDone = `
const sleep = () => new Promise(() => setInterval(() => undefined, 1000));
export default {
  name: 'test',
  shippedProcedures: false,
  application: () => async (scope, receive, send) => {
    if (scope.type === 'lifespan' && process.env.NEVER_STARTS) {
      console.error('lifespan begins');
      await sleep();
    }
    if (scope.type !== 'http') throw new Error('no ' + scope.type);
    if (scope.path === '/forgotten') void Promise.reject(new Error('a forgotten promise'));
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body', body: Buffer.from('begun'), more_body: true });
    if (scope.path !== '/forgotten') await sleep();
  },
};
`;

async function serveNeverDone(t: Test, ...flags: readonly string[]) {
  const site = new LiveSite(t, { files: { 'linod.config.ts': neverDone } });
  const server = site.start('linod', 'serve', '--http', '127.0.0.1:0', ...flags);
  const [, host] = /(127\.0\.0\.1:\d+)/.exec(await server.printed(/serving site/)) ?? [];
  /** Begins a request, which no application ends. */
  const begin = async (path: string) => {
    const response = await fetch(`http://${host}${path}`);
    await response.body?.getReader().read();
  };
  return { site, server, begin };
}

t.test('TERM ends a server within its grace, whatever its applications do', async (t) => {
  const { server, begin } = await serveNeverDone(t, '--grace', '1');
  await begin('/');
  server.kill('SIGHUP');
  server.kill('SIGTERM');
  t.match(await server.ended(), { code: 0, stderr: /stopped/ });
});

t.test('a second TERM ends a server at once', async (t) => {
  const { server, begin } = await serveNeverDone(t, '--grace', '1h');
  await begin('/');
  server.kill('SIGTERM');
  await server.printed(/SIGTERM: stopping/);
  server.kill('SIGTERM');
  t.match(await server.ended(), { code: 143 });
});

t.test('TERM ends a server whose application never starts', async (t) => {
  const site = new LiveSite(t, { files: { 'linod.config.ts': neverDone } });
  site.environment = { NEVER_STARTS: '1' };
  const server = site.start('linod', 'serve', '--http', '127.0.0.1:0');
  await server.printed(/lifespan begins/);
  server.kill('SIGTERM');
  t.match(await server.ended(), { code: 0, stderr: /stopped/ });
});

t.test('an uncaught error is logged and ends the server with 1', async (t) => {
  const { site, server, begin } = await serveNeverDone(t);
  // The server may close the connection first.
  await begin('/forgotten').catch(() => undefined);
  t.match(await server.ended(), { code: 1 });
  const worker = await site.startWorker('--initiate');
  t.match(await site.logged(/uncaught error; the server stops/), { text: /Error: a forgotten promise/ });
  worker.kill('SIGTERM');
  await worker.ended();
});

t.test('linod sockets says who does not answer, and does not ask again', async (t) => {
  const { site, server } = await serveNeverDone(t);
  server.kill('SIGKILL');
  await server.ended();
  const listed = () => site.run('linod', 'sockets', '--json');
  t.match(await listed(), {
    code: 0,
    stdout: '[]\n',
    stderr: /these servers did not answer: \S+, process \d+\n/,
  });
  t.match(await listed(), { code: 0, stdout: '[]\n', stderr: '' });
});

t.test('wrong files of a certificate are named, with their setting', async (t) => {
  const { key, cert } = selfSigned(t);
  const attempt = async (settings: SiteConfig, files: Record<string, string>) => {
    const config = neverDone.replace("name: 'test',", `name: 'test', ...${JSON.stringify(settings)},`);
    const site = new LiveSite(t, { files: { 'linod.config.ts': config, ...files } });
    return await site.run('linod', 'serve', '--http', '127.0.0.1:0');
  };
  const both = { httpCertificate: 'cert.pem', httpKey: 'key.pem' };
  for (const [settings, files, expected] of [
    [both, {}, /httpCertificate: cannot read .*cert\.pem: ENOENT/],
    [both, { 'cert.pem': cert }, /httpKey: cannot read .*key\.pem: ENOENT/],
    [both, { 'cert.pem': cert, 'key.pem': 'nonsense' }, /httpKey: expected the PEM files/],
    [{ httpCertificate: 'cert.pem' }, { 'cert.pem': cert }, /httpKey: expected a file/],
    [{ httpKey: 'key.pem' }, { 'key.pem': key }, /httpCertificate: expected a file/],
  ] as const) {
    const { code, stderr } = await attempt(settings, files);
    t.equal(code, 2);
    t.match(stderr, expected);
  }
});

t.test('the chat of examples/ serves its page, and its rooms', async (t) => {
  const site = new LiveSite(t);
  rmSync(site.path('linod.config.json'));
  cpSync(new URL('../../examples/chat', import.meta.url), site.directory, { recursive: true });
  const server = site.start('linod', 'serve', '--http', '127.0.0.1:0');
  const [, host] = /(127\.0\.0\.1:\d+)/.exec(await server.printed(/serving site chat/)) ?? [];
  t.match(await (await fetch(`http://${host}/chat/lobby/`)).text(), /<title>Chat/);
  t.equal((await fetch(`http://${host}/elsewhere`)).status, 404);
  const url = `ws://${host}/ws/chat/lobby/`;
  const origin = `http://${host}`;
  t.equal(await new SocketClient(t, url, [], { origin: 'http://evil.example' }).isDenied(), 403);
  const a = await SocketClient.open(t, url, [], { origin });
  const b = await SocketClient.open(t, url, [], { origin });
  a.wire.send('{"message":"tere"}');
  t.same(await b.hasMessages(1), ['{"message":"tere"}']);
});

t.test('a server starts while Redis is away, and its sockets talk when it is back', async (t) => {
  const redis = await RedisServer.start(t);
  await redis.kill();
  const site = chatSite(t);
  site.environment = { LINOD_CHANNEL_LAYER: redis.url };
  const worker = site.start('runworker', site.channel, '--http', '127.0.0.1:0');
  const server = site.start('linod', 'serve', '--http', '127.0.0.1:0');
  await server.printed(/the channel layer is away, and is waited for: Redis at 127\.0\.0\.1/);
  const hosts = [await worker.printed(/serving on/), await server.printed(/serving site test/)].map(
    (line) => /127\.0\.0\.1:\d+/.exec(line)?.[0],
  );
  for (const host of hosts) t.equal(await (await fetch(`http://${host}/`)).text(), 'hello');
  await redis.restart();
  // Until the server has noticed, it answers 500.
  const join = async (host = ''): Promise<SocketClient> => {
    const client = new SocketClient(t, `ws://${host}/room`);
    await until('it is answered', () => client.wire.readyState === 1 || client.status !== undefined);
    return client.status === undefined ? client : await join(host);
  };
  const [a, b] = await Promise.all(hosts.map((host) => join(host)));
  a?.wire.send('tere');
  t.same(await b?.hasMessages(1), ['tere']);
});
