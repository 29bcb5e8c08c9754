import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { Server as NetServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Application } from '../../../channels/index.js';
import { parseListenAddress } from '../../../channels/server/index.js';
import { selfSigned } from '../../support/certificate.js';
import { testDirectory } from '../../support/directory.js';
import { RawClient, SocketClient, startServer } from '../../support/protocol-server.js';

const showScheme: Application = async (scope, receive, send) => {
  if (scope.type === 'websocket') {
    await receive();
    await send({ type: 'websocket.accept' });
    await send({ type: 'websocket.send', text: String(scope.scheme) } as { type: string });
    await receive();
    return;
  }
  await send({ type: 'http.response.start', status: 200 } as { type: string });
  await send({ type: 'http.response.body', body: Buffer.from(`${scope.scheme} ${scope.server}`) } as {
    type: string;
  });
};

async function getRaw(t: Test, where: number | string): Promise<string> {
  const client = await RawClient.connect(t, where);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  return await client.closed();
}

t.test('one server listens on several addresses', async (t) => {
  const path = join(testDirectory(t), 's.sock');
  const { server } = await startServer(t, showScheme, { listen: ['127.0.0.1:0', '[::1]:0', `unix:${path}`] });
  t.match(server.addresses, [/^127\.0\.0\.1:\d+$/, /^\[::1\]:\d+$/, `unix:${path}`]);
  t.match(await getRaw(t, Number(server.addresses[0]?.slice(10))), /http 127\.0\.0\.1,\d+$/);
  t.match(await getRaw(t, path), /http .*s\.sock,$/);
});

t.test('a Unix socket has its mode, and goes with the server', async (t) => {
  const path = join(testDirectory(t), 's.sock');
  const { server } = await startServer(t, showScheme, { listen: { path, mode: 0o660 } });
  t.equal(statSync(path).mode & 0o777, 0o660);
  await server.close();
  t.throws(() => statSync(path));
});

t.test('a socket that a killed server left behind is replaced, one that is used is not', async (t) => {
  const directory = testDirectory(t);
  const path = join(directory, 's.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const killed = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(killed.stdout, 'data');
  await t.rejects(startServer(t, showScheme, { listen: `unix:${path}` }), {
    code: 'CHANNELS_ERR_LISTEN',
    message: /a server listens on it already/,
  });
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  await startServer(t, showScheme, { listen: `unix:${path}` });
  t.match(await getRaw(t, path), /200 OK/);
  const file = join(directory, 'notes.txt');
  writeFileSync(file, 'precious');
  await t.rejects(startServer(t, showScheme, { listen: `unix:${file}` }), { code: 'CHANNELS_ERR_LISTEN' });
});

t.test('a path that the system would cut, or a folder that is not there, is named', async (t) => {
  const directory = testDirectory(t);
  const paths = { 'at most 107 bytes': 'x'.repeat(107), 'its folder does not exist': 'none/s.sock' };
  for (const [problem, name] of Object.entries(paths)) {
    const listen = `unix:${join(directory, name)}`;
    await t.rejects(startServer(t, showScheme, { listen }), {
      code: 'CHANNELS_ERR_LISTEN',
      message: new RegExp(problem),
    });
  }
  t.same(readdirSync(directory), []);
});

t.test('descriptors are inherited as LISTEN_FDS says, and not handed on', async (t) => {
  const script = `
    import { serve } from './channels/server/index.ts';
    const server = await serve(async (scope, receive, send) => {
      if (scope.type === 'lifespan') throw new Error('none');
      await send({ type: 'http.response.start', status: 200 });
      await send({ type: 'http.response.body', body: Buffer.from('inherited ' + process.env.LISTEN_FDS) });
    }, { listen: 'systemd' });
    console.log(server.addresses[0]);`;
  const file = join(testDirectory(t), 'inherits.ts');
  writeFileSync(file, script.replace("'./channels", `'${process.cwd()}/channels`));
  // As systemd does it: whoever opens the socket becomes the server.
  const activate = [
    'import os, socket, sys',
    's = socket.socket()',
    "s.bind(('127.0.0.1', 0))",
    's.listen()',
    'os.dup2(s.fileno(), 3)',
    'os.set_inheritable(3, True)',
    "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))",
    'os.execvp(sys.argv[1], sys.argv[1:])',
  ].join('\n');
  const words = ['-c', activate, process.execPath, '--import=./scripts/typescript.mjs', file];
  const child = spawn('/usr/bin/python3', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [address] = await once(child.stdout, 'data');
  const port = Number(/:(\d+)/.exec(String(address))?.[1]);
  t.match(await getRaw(t, port), /inherited undefined$/);
  await t.rejects(startServer(t, showScheme, { listen: 'systemd' }), { code: 'CHANNELS_ERR_LISTEN' });
});

t.test('a server without free descriptors goes on', async (t) => {
  const listen = t.capture(NetServer.prototype, 'listen', NetServer.prototype.listen);
  const { events, server, port } = await startServer(t, showScheme);
  const error = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
  const http: unknown = listen()[0]?.receiver;
  t.ok(
    http instanceof NetServer && http.emit('error', error),
    'an error of the listening socket has a listener',
  );
  t.match(events, [{ type: 'listenerFailed', address: server.addresses[0], error }]);
  t.match(await getRaw(t, port), /200 OK/);
});

t.test('with a certificate it speaks TLS, to browsers and WebSockets', async (t) => {
  const tls = selfSigned(t);
  const { server } = await startServer(t, showScheme, { listen: { port: 0, tls } });
  const port = Number(/:(\d+)$/.exec(server.addresses[0] ?? '')?.[1]);
  const [response] = await once(get({ port, ca: tls.cert, servername: 'localhost' }), 'response');
  response.setEncoding('utf8');
  const [text] = await once(response, 'data');
  t.match(text, /^https /);
  const client = await SocketClient.open(t, `wss://localhost:${port}`, [], {
    ca: tls.cert,
    family: 4,
  });
  t.same(await client.hasMessages(1), ['wss']);
});

t.test('an address in use is named, and nothing stays open', async (t) => {
  const { port } = await startServer(t, showScheme);
  await t.rejects(startServer(t, showScheme, { listen: ['127.0.0.1:0', `127.0.0.1:${port}`] }), {
    code: 'CHANNELS_ERR_LISTEN',
    address: `127.0.0.1:${port}`,
  });
});

t.test('addresses are read from text; without a host it is the loopback', async (t) => {
  t.same(parseListenAddress('8000'), { host: undefined, port: 8000 });
  t.same(parseListenAddress('[::]:80'), { host: '::', port: 80 });
  t.same(parseListenAddress('example.org:80'), { host: 'example.org', port: 80 });
  t.same(parseListenAddress('unix:/run/a.sock'), { path: '/run/a.sock' });
  t.same(parseListenAddress('fd:3'), { fd: 3 });
  for (const wrong of ['', 'a', '70000', '::1:80', 'http://a:80', 'unix:'])
    t.throws(() => parseListenAddress(wrong), { code: 'CHANNELS_ERR_INVALID_OPTION' }, wrong);
  const { server } = await startServer(t, showScheme, { listen: '0' });
  t.match(server.addresses, [/^127\.0\.0\.1:/]);
});
