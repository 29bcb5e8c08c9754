// A server of the server benchmark, on Node. Not for people; server.ts starts it with what it is as JSON.
//
// It prints `port N`. `/listen` joins a group, `/speak` sends to it, every other WebSocket echoes; a GET is answered with
// a line. server_peer.py does the same in Python.

import { createServer, type Server as HttpServer } from 'node:http';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server as SocketIo } from 'socket.io';
import { WebSocket, WebSocketServer } from 'ws';
import type { Application, Message } from '../../channels/index.js';
import { channels, server } from './linod.js';

const { HttpConsumer, WebsocketConsumer, Consumer } = channels;

const body = Buffer.from('hello\n');
const headers = { 'content-type': 'text/plain', 'content-length': String(body.length) };
const group = 'bench';
/** So many peers are one load client here. */
const limits = {
  maxConnections: 100_000,
  maxConnectionsPerAddress: 100_000,
  maxMessagesPerSecond: 1_000_000,
};

const { kind, url = '', path = '' } = JSON.parse(process.argv[2] ?? '{}') as Readonly<Record<string, string>>;
console.log(`port ${await start()}`);
// Before its memory is read, what is no longer needed is thrown away.
for await (const _ of createInterface({ input: process.stdin })) {
  for (let i = 0; i < 3; i++) global.gc?.();
  console.log('swept');
}
process.exit();

async function start(): Promise<number> {
  if (kind === 'bare') return await listen(bare());
  if (kind === 'socketIo') return await listen(socketIo());
  const application = kind === 'linodRaw' ? raw : consumers();
  const { addresses } = await server.serve(application, { listen: '127.0.0.1:0', limits });
  return Number(/:(\d+)$/.exec(addresses[0] ?? '')?.[1]);
}

async function listen(http: HttpServer): Promise<number> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function bare(): HttpServer {
  const http = createServer((_, response) => response.writeHead(200, headers).end(body));
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
  const members = new Set<WebSocket>();
  http.on('upgrade', (request, socket: Duplex, head) =>
    sockets.handleUpgrade(request, socket, head, (wire) => {
      if (request.url === '/listen') members.add(wire);
      wire.on('close', () => members.delete(wire));
      wire.on('message', (data) => {
        const text = String(data);
        if (request.url !== '/speak') return wire.send(text);
        for (const member of members) if (member.readyState === WebSocket.OPEN) member.send(text);
      });
    }),
  );
  return http;
}

function socketIo(): HttpServer {
  const http = createServer();
  const publisher = new Redis(url);
  const io = new SocketIo(http, {
    transports: ['websocket'],
    adapter: createAdapter(publisher, publisher.duplicate()),
  });
  io.on('connection', async (socket) => {
    if (socket.handshake.query.role === 'listen') await socket.join(group);
    socket.on('speak', (text) => io.to(group).emit('message', text));
  });
  return http;
}

/** linod without consumers. */
async function raw(...[scope, receive, send]: Parameters<Application>): Promise<void> {
  if (scope.type === 'http') {
    await send({ type: 'http.response.start', status: 200, headers: Object.entries(headers) } as Message);
    await send({ type: 'http.response.body', body } as Message);
    return;
  }
  if (scope.type !== 'websocket') throw new channels.NoRouteError('only HTTP and WebSocket are served');
  await receive();
  await send({ type: 'websocket.accept' });
  for (;;) {
    const message = await receive();
    if (message.type === 'websocket.disconnect') return;
    await send({ ...message, type: 'websocket.send' });
  }
}

interface Said extends Message {
  readonly type: 'bench.message';
  readonly text: string;
}

function consumers(): Application {
  const layer =
    url === ''
      ? new channels.SqliteChannelLayer({ path })
      : new channels.RedisChannelLayer({ hosts: [url], prefix: 'linod' });

  class Hello extends HttpConsumer {
    override async handle() {
      await this.sendResponse(200, body, headers);
    }
  }

  class Echo extends WebsocketConsumer {
    override async receive(data: string | Uint8Array) {
      await this.send(data);
    }
  }

  class Member extends WebsocketConsumer<Said> {
    override groups = [group];
    async benchMessage({ text }: Said) {
      await this.send(text);
    }
  }

  class Speaker extends WebsocketConsumer {
    override async receive(data: string | Uint8Array) {
      await this.layer.groupSend(group, { type: 'bench.message', text: String(data) } as Said);
    }
  }

  return channels.ProtocolTypeRouter({
    http: Consumer.application(() => new Hello()),
    websocket: channels.URLRouter([
      channels.path(
        '/listen',
        Consumer.application(() => new Member({ layer })),
      ),
      channels.path(
        '/speak',
        Consumer.application(() => new Speaker({ layer })),
      ),
      channels.path(
        '/',
        Consumer.application(() => new Echo({ layer })),
      ),
    ]),
  });
}
