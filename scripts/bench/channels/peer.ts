// A peer on Node: does what it is told on stdin with the contestant that it was given on its command line. Ends with
// its stdin. Not for people; peer-process.ts starts it.

import { createInterface } from 'node:readline';
import type { ChannelLayer } from '../../../channels/layer.js';
import { Worker } from '../../../channels/worker.js';
import * as loops from './loops.js';
import { openTransport } from './open-transport.js';
import type { Reports, Request, Response, Task, WorkTask } from './tasks.js';
import { type IdleTransport, NotMeasuredError, type Transport, type TransportOptions } from './transport.js';

const [options = '{}'] = process.argv.slice(2);
const transport: Transport | (Transport & IdleTransport) = openTransport(
  JSON.parse(options) as TransportOptions,
);

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  const { id } = request;
  // Not awaited: one peer can do several things at once, such as sending to itself.
  perform(request, () => say({ id, ready: true })).then(
    (report) => say({ id, report }),
    (error: unknown) => say({ id, error: error instanceof Error ? (error.stack ?? '') : String(error) }),
  );
}
await transport.close();
// Whatever a contestant leaves open does not keep its process.
process.exit();

async function perform(task: Task, ready: () => void): Promise<Reports[keyof Reports]> {
  switch (task.do) {
    case 'send':
      return loops.send(transport, task);
    case 'receive':
      return loops.receive(transport, task, ready);
    case 'ping':
      return loops.ping(transport, task);
    case 'echo':
      return loops.echo(transport, task, ready);
    case 'pace':
      return loops.pace(transport, task);
    case 'clock':
      return loops.clock(transport, task, ready);
    case 'attend':
      return loops.attend(transport, task, ready);
    case 'groupSend':
      return loops.groupSend(transport, task);
    case 'newChannel':
      return { channel: await transport.newChannel() };
    case 'work':
      return work(task, ready);
    case 'usage': {
      const { user, system } = process.cpuUsage();
      return { cpuMs: (user + system) / 1000 };
    }
  }
}

async function work(task: WorkTask, ready: () => void): Promise<Record<string, never>> {
  if ('waitInVain' in transport) {
    ready();
    return await transport.waitInVain(task.channels);
  }
  if (!isLayer(transport)) throw new NotMeasuredError('a worker');
  const application = async () => {};
  const running = new Worker({ application, layer: transport, channels: task.channels }).run(
    new AbortController().signal,
  );
  ready();
  await running;
  return {};
}

function isLayer(transport: Transport | ChannelLayer): transport is ChannelLayer {
  return 'extensions' in transport;
}

function say(response: Response): void {
  process.stdout.write(`${JSON.stringify(response)}\n`);
}
