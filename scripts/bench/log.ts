// Measures both ends of a log record: what a call costs its program, what the writer takes from batches, and how
// long a file takes to be read back.
//
//     node dist/scripts/bench/log.js [--records N]
//
// Exit codes: 0.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/clock.js';
import { formatHead, formatRecord } from '../../src/log/format.js';
import { LocalTransport } from '../../src/log/local-transport.js';
import { Logger } from '../../src/log/logger.js';
import type { LogAnswer, LogRecords } from '../../src/log/messages.js';
import type { PositionStore } from '../../src/log/positions.js';
import { LogSender } from '../../src/log/sender.js';
import { Timestamps } from '../../src/log/timestamp.js';
import type { LogTransport } from '../../src/log/transport.js';
import { LogWriter } from '../../src/log/writer.js';
import { ownProcess } from '../../src/owner.js';

const { values } = parseArgs({ options: { records: { type: 'string', default: '500000' } } });
const total = Number(values.records);
const directory = await mkdtemp(join(tmpdir(), 'linod-bench-log-'));
const noCheckpoints: PositionStore = {
  load: async () => undefined,
  save: async () => {},
};
/** A layer that is away, so that all goes to the spool. */
const nowhere: LogTransport = {
  listen: () => {},
  deliver: async () => Promise.reject(new TypeError('nobody listens')),
  rest: async () => {},
  close: async () => {},
};

say(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? '?'}, files in ${tmpdir()}`);
await measureCalls();
await measureWriter('batch');
await measureWriter('never');
await measureTogether();
await rm(directory, { recursive: true });

/** What a program pays for `logger.info`, records going to the spool in batches. */
async function measureCalls(): Promise<void> {
  for (const fields of [undefined, { order: 4711, customer: 'C-17' }]) {
    const sender = newSender(nowhere, `calls-${fields === undefined}`);
    const logger = new Logger({ sink: sender, name: 'shop.orders' });
    for (let i = 0; i < 20_000; i++) logger.info('order 4711 was paid', fields);
    const start = performance.now();
    for (let i = 0; i < total; i++) logger.info('order 4711 was paid', fields);
    const ms = performance.now() - start;
    const kind = fields === undefined ? 'a sentence' : 'a sentence and two fields';
    say(`logger.info, ${kind}, spooled: ${((ms * 1000) / total).toFixed(2)} µs a call`);
    await sender.close();
  }
  const logger = new Logger({ sink: newSender(nowhere, 'off'), name: 'shop.orders' });
  const start = performance.now();
  for (let i = 0; i < total; i++) logger.debug('order 4711 was paid');
  say(`logger.debug below the level: ${(((performance.now() - start) * 1e6) / total).toFixed(0)} ns a call`);
}

/** What the writer takes of four senders, in batches of 64 kB as they come out of a layer. */
async function measureWriter(sync: 'batch' | 'never'): Promise<void> {
  const path = join(directory, `writer-${sync}.log`);
  const batches = [1, 2, 3, 4].map((pid) => makeBatches(`web[${pid}]`, total / 4));
  const writer = new LogWriter({ path, clock: systemClock, positions: noCheckpoints, sync });
  await writer.start();
  const start = performance.now();
  await Promise.all(batches.map((list) => feed(writer, list)));
  const seconds = (performance.now() - start) / 1000;
  const { records, bytes, writes } = writer.status;
  await writer.stop();
  const rate = `${Math.round(records / seconds / 1000)} thousand records/s`;
  say(
    `writer, four senders, sync ${sync}: ${rate}, ${mb(bytes / seconds)} MB/s, ${writes} writes of ${mb(bytes / writes)} MB`,
  );
  if (sync === 'never') await measureReadBack(path, bytes);
}

async function measureReadBack(path: string, bytes: number): Promise<void> {
  const writer = new LogWriter({ path, clock: systemClock, positions: noCheckpoints });
  const start = performance.now();
  await writer.start();
  const seconds = (performance.now() - start) / 1000;
  say(`reading back ${mb(bytes)} MB without a checkpoint: ${mb(bytes / seconds)} MB/s`);
  await writer.stop();
}

/** The whole way within one process: logger, spool, writer, acknowledgement. */
async function measureTogether(): Promise<void> {
  const path = join(directory, 'together.log');
  const writer = new LogWriter({ path, clock: systemClock, positions: noCheckpoints });
  await writer.start();
  const transport = new LocalTransport(nowhere);
  const sender = newSender(transport, 'together');
  transport.connect(writer);
  const logger = new Logger({ sink: sender, name: 'shop.orders' });
  const start = performance.now();
  for (let i = 0; i < total; i++) {
    logger.info('order 4711 was paid');
    if (i % 2000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await sender.flush(60_000);
  const seconds = (performance.now() - start) / 1000;
  await sender.close();
  await writer.stop();
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.includes('was paid')).length;
  say(
    `logger to file and back, one process: ${Math.round(total / seconds / 1000)} thousand records/s, ${lines} of ${total} lines`,
  );
}

function newSender(transport: LogTransport, name: string): LogSender {
  return new LogSender({
    name,
    transport,
    spoolDirectory: join(directory, 'spool'),
    clock: systemClock,
    limits: { diskBytes: 8 * 1024 ** 3 },
  });
}

function makeBatches(sender: string, count: number): LogRecords[] {
  const time = new Timestamps('UTC').format(Date.now());
  const batches: LogRecords[] = [];
  let text = '';
  let first = 1;
  for (let number = 1; number <= count; number++) {
    const head = formatHead(time, 'INFO', `${sender}#${number}`, 'shop.orders');
    text += formatRecord(head, { message: 'order 4711 was paid' });
    if (text.length < 64 * 1024 && number < count) continue;
    const range = { first, count: number - first + 1, acked: 0, base: 1 };
    const bytes = Buffer.from(text);
    batches.push({
      type: 'log.records',
      sender,
      epoch: 'e',
      owner: ownProcess(),
      ...range,
      bytes,
      reply_channel: '',
    });
    text = '';
    first = number + 1;
  }
  return batches;
}

/** Sends batches with eight under way, as a sender does. */
async function feed(writer: LogWriter, batches: readonly LogRecords[]): Promise<void> {
  let next = 0;
  let acked = 0;
  await new Promise<void>((resolve) => {
    const send = () => {
      for (; next < batches.length; next++) {
        const batch = batches[next];
        const oldest = batches[next - 8];
        if (batch === undefined || (oldest !== undefined && oldest.first + oldest.count - 1 > acked)) return;
        writer.accept(batch, reply);
      }
      const last = batches.at(-1);
      if (last === undefined || acked >= last.first + last.count - 1) resolve();
    };
    const reply = (answer: LogAnswer) => {
      if (answer.type === 'log.ack') acked = answer.last;
      setImmediate(send);
    };
    send();
  });
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
