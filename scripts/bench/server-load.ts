// The load of the server benchmark. Not for people; server.ts starts it.
//
// It prints `open`, does one task a line of standard input, prints `from` and `until` around the time that counts, and then
// what it found as JSON. It writes and reads bytes on plain sockets, so that it costs less than any server that it loads:
// `clientCpu` is its share of a core.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { frameOf, Wire } from './wire.js';

/** What server.ts wants done. */
export type LoadTask = { readonly ports: readonly number[]; readonly ms: number } & (
  | { readonly do: 'requests'; readonly connections: number }
  | { readonly do: 'echoes'; readonly connections: number }
  | { readonly do: 'group'; readonly members: number; readonly isSocketIo: boolean }
  | { readonly do: 'idle'; readonly connections: number }
);

/** The body of a response, and the end of it by which it is known to be whole. */
const responseBody = 'hello\n';
/** A message of 100 bytes. */
const text = 'x'.repeat(100);
/** Messages to a group that are on their way at once. */
const inFlight = 8;
/** Code that is cold, and connections that are new, do not count. */
const warmUpMs = 1000;
/** A message that has not come by then is lost. */
const patienceMs = 30_000;

let idle: Wire[] = [];

console.log('open');
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await perform(JSON.parse(line) as LoadTask)));
process.exit();

async function perform(task: LoadTask): Promise<Record<string, number>> {
  const [port = 0, otherPort = port] = task.ports;
  if (task.do === 'requests') return await requests(port, task.connections, task.ms);
  if (task.do === 'echoes') return await echoes(port, task.connections, task.ms);
  if (task.do === 'group') return await group(port, otherPort, task);
  for (const wire of idle) wire.end();
  idle = await openMany(port, '/', task.connections);
  return { open: idle.length };
}

/** Each connection asks again as soon as it is answered. */
async function requests(port: number, connections: number, ms: number): Promise<Record<string, number>> {
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  const end = Buffer.from(responseBody);
  let answered = 0;
  let problem: string | undefined;
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    let isFirst = true;
    socket.on('data', (chunk) => {
      if (isFirst && !chunk.toString('latin1').startsWith('HTTP/1.1 200 ')) problem = chunk.toString();
      isFirst = false;
      // All servers send the body with its head or in a chunk of its own, and nothing behind it.
      if (chunk.length < end.length || chunk.compare(end, 0, end.length, chunk.length - end.length) !== 0)
        return;
      answered++;
      socket.write(request);
    });
    socket.on('error', (error) => {
      problem = String(error);
    });
    socket.write(request);
    return socket;
  });
  const found = await counted(ms, () => answered);
  for (const socket of sockets) socket.destroy();
  if (problem !== undefined) throw new Error(`a request failed: ${problem}`);
  return found;
}

/** Each connection sends again as soon as its message has come back. */
async function echoes(port: number, connections: number, ms: number): Promise<Record<string, number>> {
  let echoed = 0;
  const wires = await openMany(port, '/', connections);
  const frame = frameOf(text);
  for (const wire of wires) {
    wire.onText = () => {
      echoed++;
      wire.socket.write(frame);
    };
    wire.socket.write(frame);
  }
  const found = await counted(ms, () => echoed);
  for (const wire of wires) wire.end();
  return found;
}

/** One socket speaks to a group of which all others are members. */
async function group(
  membersPort: number,
  speakersPort: number,
  { members, isSocketIo, ms }: LoadTask & { do: 'group' },
): Promise<Record<string, number>> {
  const pathOf = (role: string) =>
    isSocketIo ? `/socket.io/?EIO=4&transport=websocket&role=${role}` : `/${role}`;
  const listening = await openMany(membersPort, pathOf('listen'), members, isSocketIo);
  const [speaker] = await openMany(speakersPort, pathOf('speak'), 1, isSocketIo);
  const frame = frameOf(isSocketIo ? `42["speak","${text}"]` : text);
  let delivered = 0;
  let sent = 0;
  let isOver = false;
  const speak = () => {
    sent++;
    speaker?.socket.write(frame);
  };
  for (const wire of listening) {
    wire.onText = () => {
      delivered++;
      if (delivered % members === 0 && !isOver) speak();
    };
  }
  for (let i = 0; i < inFlight; i++) speak();
  const found = await counted(ms, () => delivered);
  isOver = true;
  for (const giveUpAt = performance.now() + patienceMs; delivered < sent * members; await pause(5))
    if (performance.now() > giveUpAt) throw new Error(`of ${sent * members} messages ${delivered} came`);
  for (const wire of [...listening, ...(speaker === undefined ? [] : [speaker])]) wire.end();
  return found;
}

/** How fast a number grows, after a while to warm up. */
async function counted(ms: number, count: () => number): Promise<Record<string, number>> {
  await pause(warmUpMs);
  console.log('from');
  const [before, since, cpu] = [count(), performance.now(), process.cpuUsage()];
  await pause(ms);
  const done = count() - before;
  const elapsedMs = performance.now() - since;
  const { user, system } = process.cpuUsage(cpu);
  console.log('until');
  return {
    perSecond: (done / elapsedMs) * 1000,
    count: done,
    clientCpu: ((user + system) / 1000 / elapsedMs) * 100,
  };
}

/** Opens WebSockets, some at a time. */
async function openMany(port: number, path: string, count: number, isSocketIo = false): Promise<Wire[]> {
  const wires: Wire[] = [];
  while (wires.length < count) {
    const some = Array.from({ length: Math.min(50, count - wires.length) }, () =>
      Wire.open(port, path, isSocketIo),
    );
    wires.push(...(await Promise.all(some)));
  }
  return wires;
}
