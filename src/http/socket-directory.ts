// How other processes see the sockets of a server: over the channel layer.

import {
  type ChannelLayer,
  Consumer,
  type HandledTypes,
  type Handlers,
  type Message,
  type Received,
  Worker,
} from '../../channels/index.js';
import type { Server, SocketReport } from '../../channels/server/index.js';
import type { Logger } from '../log/logger.js';
import type { Site } from '../site/site.js';

/** Asks each server for its sockets. */
export interface ListSockets extends Message {
  readonly type: 'sockets.list';
  readonly reply_channel: string;
}

/** Asks for one to be closed. */
export interface CloseSocket extends Message {
  readonly type: 'sockets.close';
  readonly id: string;
  readonly reply_channel: string;
}

/** The answer to both: of a server that has no such socket, `closed` is false. */
export interface SocketsReply extends Message {
  readonly type: 'sockets.reply';
  readonly pid: number;
  readonly sockets: readonly SocketReport[];
  readonly closed: boolean;
}

type DirectoryMessages = ListSockets | CloseSocket;

/** The group of all servers of a site. */
export function serversGroup(site: Site): string {
  return `${site.channel}.servers`;
}

export interface DirectoryOptions {
  readonly site: Site;
  readonly layer: ChannelLayer;
  readonly server: Pick<Server, 'sockets' | 'closeSocket'>;
  readonly logger: Logger;
}

/** Memberships of groups expire. */
const renewEveryMs = 3_600_000;

export class SocketDirectory {
  readonly #options: DirectoryOptions;
  readonly #channel: string;
  readonly #stop = new AbortController();
  readonly #worker: Promise<void>;

  /** Answers questions until it is closed. */
  static async open(options: DirectoryOptions): Promise<SocketDirectory> {
    const channel = await options.layer.newChannel('linod');
    await options.layer.groupAdd(serversGroup(options.site), channel);
    return new SocketDirectory(options, channel);
  }

  private constructor(options: DirectoryOptions, channel: string) {
    const { layer, server, site, logger } = options;
    this.#options = options;
    this.#channel = channel;
    const worker = new Worker({
      application: Consumer.application(() => new DirectoryConsumer(layer, server)),
      layer,
      channels: [channel],
      onEvent: (event) => {
        if ('error' in event && event.error !== undefined)
          logger.warning(`the directory of sockets: ${event.type}`, event.error);
      },
    });
    this.#worker = worker.run(this.#stop.signal);
    const renew = () => layer.groupAdd(serversGroup(site), channel).catch(() => undefined);
    const timer = setInterval(() => void renew(), renewEveryMs).unref();
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#worker;
    const { layer, site } = this.#options;
    await layer.groupDiscard(serversGroup(site), this.#channel).catch(() => undefined);
  }
}

class DirectoryConsumer extends Consumer<DirectoryMessages> implements Handlers<DirectoryMessages> {
  override readonly handles: HandledTypes<DirectoryMessages> = {
    'sockets.list': (received) => ({
      type: 'sockets.list',
      reply_channel: textOf(received, 'reply_channel'),
    }),
    'sockets.close': (received) => ({
      type: 'sockets.close',
      id: textOf(received, 'id'),
      reply_channel: textOf(received, 'reply_channel'),
    }),
  };
  readonly #server: DirectoryOptions['server'];

  constructor(layer: ChannelLayer, server: DirectoryOptions['server']) {
    super({ layer });
    this.#server = server;
  }

  async socketsList({ reply_channel }: ListSockets): Promise<void> {
    await this.#reply(reply_channel, this.#server.sockets(), false);
  }

  async socketsClose({ id, reply_channel }: CloseSocket): Promise<void> {
    await this.#reply(reply_channel, [], this.#server.closeSocket(id, 1001, 'closed by the operator'));
  }

  async #reply(channel: string, sockets: readonly SocketReport[], closed: boolean): Promise<void> {
    const reply: SocketsReply = {
      type: 'sockets.reply',
      pid: process.pid,
      sockets: sockets.map(plain),
      closed,
    };
    await this.layer.send(channel, reply);
  }
}

/** Without what no message can carry. */
function plain(report: SocketReport): SocketReport {
  return JSON.parse(JSON.stringify(report));
}

function textOf(received: Received, key: string): string {
  const value = received[key];
  if (typeof value === 'string') return value;
  throw new Error(`expected ${key} to be text`);
}
