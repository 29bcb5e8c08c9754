// A process that logs. Not for people; log.ts starts it with what it logs through and where to:
// `linod SITE`, `pino FILE`, `syslog PORT`.
//
// It prints `ready`, logs as many records as each line of standard input says, and prints `done`. With `serve` as a third
// argument it is an HTTP server that logs two records a request, prints its port, and logs to `none` if asked to.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { log } from './linod.js';

/** As log.ts counts them: records end in it, and nothing else does. */
const messageOf = (number: number) => `order ${number + 1_000_000} of customer C-17 was paid`;
/** After so many records the event loop turns, as a server's does between its requests. */
const recordsInARow = 200;

interface Out {
  info(message: string, fields?: Record<string, unknown>): void;
  /** What is in memory goes on; a logger without one has nothing there. */
  flush?(): Promise<void>;
}

const [kind = '', target = '', mode = ''] = process.argv.slice(2);
const out = await open();
if (mode === 'serve') await serve();
else await obey();

async function open(): Promise<Out> {
  if (kind === 'linod') {
    const logger = log.createLogger({ site: target, name: 'web' });
    // A stranger to the worker is greeted first.
    logger.info('ready');
    await logger.flush();
    return { info: (message, fields) => logger.info(message, fields), flush: () => logger.flush(120_000) };
  }
  if (kind === 'syslog') return await openSyslog(Number(target));
  if (kind === 'none') return { info: () => undefined };
  // A server's pino is asynchronous; in the contest each write is waited for, which is its default.
  const destination = pino.destination({
    dest: target,
    sync: mode !== 'serve',
    minLength: mode === 'serve' ? 4096 : 0,
  });
  const logger = pino({ name: 'web' }, destination);
  return {
    info: (message, fields) => (fields === undefined ? logger.info(message) : logger.info(fields, message)),
  };
}

/** RFC 6587, non-transparent framing: a line a record, 64 kB at once. */
async function openSyslog(port: number): Promise<Out> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let batch = '';
  const write = () => {
    socket.write(batch);
    batch = '';
  };
  return {
    info(message) {
      // PRI 14 is facility user, severity INFO (RFC 5424, 6.2.1).
      batch += `<14>1 ${new Date().toISOString()} host web ${process.pid} - - shop.orders: ${message}\n`;
      if (batch.length >= 65_536) write();
    },
    async flush() {
      write();
      if (socket.writableLength > 0) await once(socket, 'drain');
    },
  };
}

async function obey(): Promise<void> {
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    const from = process.cpuUsage();
    for (let i = 0; i < Number(line); i++) {
      out.info(messageOf(i));
      if (i % recordsInARow === 0) await turn();
    }
    await out.flush?.();
    const { user, system } = process.cpuUsage(from);
    console.log(`done ${(user + system) / 1000}`);
  }
  process.exit();
}

async function serve(): Promise<void> {
  let number = 0;
  const server = createServer((request, response) => {
    out.info(`${request.method} ${request.url}`, { from: request.socket.remoteAddress });
    out.info(messageOf(number++));
    response.end('hello\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  console.log(`listening ${typeof address === 'object' ? address?.port : ''}`);
}
