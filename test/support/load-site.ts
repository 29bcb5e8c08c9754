// A site whose sockets can be loaded: groups, the ways to treat slow clients, and what its server process costs.

import { readdirSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';
import type { ServerLimits } from '../../channels/server/index.js';
import { type LiveLayer, LiveSite } from './live-site.js';
import type { Program } from './programs.js';

const channels = pathToFileURL(`${process.cwd()}/dist/channels/index.js`).href;

/**
 * `/GROUP/POLICY` is a member of the group. `/say/GROUP` is none: what it says goes to the group, and its answer is the
 * same text, as soon as the layer has the message.
 */
const config = (limits: Partial<ServerLimits>, maxBytes: number, layer: LiveLayer): string => `
import { Consumer, HttpConsumer, ProtocolTypeRouter, SlowClient, WebsocketConsumer } from '${channels}';

class Hello extends HttpConsumer {
  async handle() { await this.sendResponse(200, 'hello'); }
}
const options = { maxBytes: ${maxBytes}, announce: (dropped) => JSON.stringify({ dropped }) };
const policies = {
  close: SlowClient.close({ maxBytes: ${maxBytes} }),
  dropOldest: SlowClient.dropOldest(options),
  latestBy: SlowClient.latestBy((text) => JSON.parse(text).key, options),
  wait: SlowClient.wait(),
};
class Listener extends WebsocketConsumer {
  async connect() {
    const [, group, policy] = this.scope.path.split('/');
    this.slowClient = policies[policy];
    await this.groupAdd(group);
    await this.accept();
  }
  async loadSaid({ text }) { await this.send(text); }
}
class Speaker extends WebsocketConsumer {
  async receive(text) {
    await this.layer.groupSend(this.scope.path.split('/')[2], { type: 'load.said', text });
    await this.send(text.slice(0, 100));
  }
}
export default {
  name: 'test',
  shippedProcedures: false,
  logLevels: { 'linod.http': 'WARNING' },
  httpLimits: ${JSON.stringify(limits)},
  ...${JSON.stringify(layer.config)},
  application: ({ layer }) => ProtocolTypeRouter({
    http: Consumer.application(() => new Hello()),
    websocket: Consumer.application(({ path }) =>
      path.startsWith('/say/') ? new Speaker({ layer, ownChannel: false }) : new Listener({ layer })),
  }),
};
`;

export interface LoadOptions {
  readonly limits?: Partial<ServerLimits>;
  /** Bytes that may wait for a slow client. Default 64 KiB. */
  readonly maxBytes?: number;
  readonly layer?: LiveLayer;
}

export function loadSite(
  t: Test,
  { limits = {}, maxBytes = 65_536, layer = { config: {} } }: LoadOptions = {},
): LiveSite {
  return new LiveSite(t, { files: { 'linod.config.ts': config(limits, maxBytes, layer) } });
}

/** Starts a server process and waits until it serves. @returns it and its port */
export async function startServing(
  site: LiveSite,
  port = 0,
): Promise<{ readonly program: Program; readonly port: number }> {
  const program = site.start('linod', 'serve', '--http', `127.0.0.1:${port}`);
  const line = await program.printed(/serving site test/);
  return { program, port: Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]) };
}

/** Resident memory of a process in bytes. */
export function memoryOf({ pid }: Program): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** How many descriptors a process has open. */
export function descriptorsOf({ pid }: Program): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export const mebibyte = 1024 * 1024;
