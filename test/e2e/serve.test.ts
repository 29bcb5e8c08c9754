// A site that serves an application: by a worker, and by `linod serve`.

import { cpSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { LiveSite } from '../support/live-site.js';
import { readLog } from '../support/log.js';
import { SocketClient } from '../support/protocol-server.js';
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
  t.match(await site.linod('sockets', '--close', first?.id ?? ''), /is closed/);
  await until('one was closed', () => a.closed?.code === 1001 || b.closed?.code === 1001);
  t.match(await site.run('linod', 'sockets', '--close', 'nobody'), { code: 1 });

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
  t.match(stderr, /application: there is none to be served/);
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
