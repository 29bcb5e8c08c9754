// How other processes see the sockets of a server: over the channel layer.

import { hostname } from 'node:os';
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

/** Asks each server to close a socket if it is its own. */
export interface CloseSocket extends Message {
  readonly type: 'sockets.close';
  readonly id: string;
  readonly reply_channel: string;
}

/** The answer of a server to both questions. */
export interface SocketsReply extends Message {
  readonly type: 'sockets.reply';
  /** The channel of the server, as in the group. */
  readonly channel: string;
  readonly pid: number;
  readonly sockets: readonly SocketReport[];
  /** Whether the server had the socket and closed it. */
  readonly closed: boolean;
}

type Question = ListSockets | CloseSocket;

/** The group of all servers of a site. */
function serversGroup(site: Site): string {
  return `${site.channel}.servers`;
}

export interface DirectoryOptions {
  readonly site: Site;
  readonly layer: ChannelLayer;
  readonly server: Pick<Server, 'sockets' | 'closeSocket'>;
  readonly logger: Logger;
  /** Called when the channel layer cannot be reached at the start. The server joins the group later. */
  readonly onLayerAway: (error: unknown) => void;
}

/** A server that was too slow for a command returns to the group in this time. */
const renewEveryMs = 60_000;

/** A server's member of the group. It answers questions until it is closed. */
export class SocketDirectory {
  readonly #options: DirectoryOptions;
  readonly #channel: string;
  readonly #stop = new AbortController();
  readonly #worker: Promise<void>;

  static async open(options: DirectoryOptions): Promise<SocketDirectory> {
    // The name says whose channel it is, for when the server does not answer.
    const host = hostname()
      .split('.')[0]
      ?.replace(/[^\w-]/g, '-')
      .slice(0, 30);
    const channel = await options.layer.newChannel(`linod-server.${host}.${process.pid}`);
    await options.layer.groupAdd(serversGroup(options.site), channel).catch(options.onLayerAway);
    return new SocketDirectory(options, channel);
  }

  private constructor(options: DirectoryOptions, channel: string) {
    const { layer, logger } = options;
    this.#options = options;
    this.#channel = channel;
    const worker = new Worker({
      application: Consumer.application(() => new DirectoryConsumer(options, channel)),
      layer,
      channels: [channel],
      onEvent: (event) => {
        if ('error' in event && event.error !== undefined)
          logger.warning(`the directory of sockets: ${event.type}`, event.error);
      },
    });
    this.#worker = worker.run(this.#stop.signal);
    const timer = setInterval(() => void this.renew().catch(() => undefined), renewEveryMs).unref();
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** Joins the group again. */
  async renew(): Promise<void> {
    const { layer, site } = this.#options;
    await layer.groupAdd(serversGroup(site), this.#channel);
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#worker;
    const { layer, site } = this.#options;
    await layer.groupDiscard(serversGroup(site), this.#channel).catch(() => undefined);
  }
}

class DirectoryConsumer extends Consumer<Question> implements Handlers<Question> {
  override readonly handles: HandledTypes<Question> = {
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
  readonly #channel: string;

  constructor({ layer, server }: DirectoryOptions, channel: string) {
    super({ layer });
    this.#server = server;
    this.#channel = channel;
  }

  async socketsList({ reply_channel }: ListSockets): Promise<void> {
    await this.#reply(reply_channel, this.#server.sockets(), false);
  }

  async socketsClose({ id, reply_channel }: CloseSocket): Promise<void> {
    await this.#reply(reply_channel, [], this.#server.closeSocket(id, 1001, 'closed by the operator'));
  }

  async #reply(to: string, sockets: readonly SocketReport[], closed: boolean): Promise<void> {
    const { pid } = process;
    const reply: SocketsReply = { type: 'sockets.reply', channel: this.#channel, pid, sockets, closed };
    await this.layer.send(to, reply);
  }
}

function textOf(received: Received, key: string): string {
  const value = received[key];
  if (typeof value === 'string') return value;
  throw new Error(`expected ${key} to be text`);
}

export interface Answers {
  readonly replies: readonly SocketsReply[];
  /** The servers that did not answer in time: `web1, process 4711`. */
  readonly silent: readonly string[];
}

/** What a server is called to people, by its channel. */
function serverName(channel: string): string {
  const [, host, pid] = /^linod-server\.([^.]+)\.(\d+)\./.exec(channel) ?? [];
  return host === undefined ? channel : `${host}, process ${pid}`;
}

/** A server that does not answer in this time hangs or was killed. */
const answerMs = 2000;

/**
 * Asks all servers of a site. Removes those from the group that do not answer in time: a server that was killed
 * is still a member, and the next command shall not wait for it.
 */
export async function askServers(
  site: Site,
  layer: ChannelLayer,
  question: { readonly type: 'sockets.list' } | { readonly type: 'sockets.close'; readonly id: string },
): Promise<Answers> {
  const group = serversGroup(site);
  const reply_channel = await layer.newChannel('linod');
  const [found] = await layer.groups(group);
  const silent = new Set(found?.members.map(({ channel }) => channel));
  // A layer that only passes messages on knows no members of other processes.
  const knowsAll = layer.extensions.has('lease');
  await layer.groupSend(group, { ...question, reply_channel });
  const replies: SocketsReply[] = [];
  const signal = AbortSignal.timeout(answerMs);
  while ((silent.size > 0 || !knowsAll) && !signal.aborted) {
    const received = await layer.receive(reply_channel, { signal }).catch(() => undefined);
    if (received?.type !== 'sockets.reply') continue;
    const reply = received as unknown as SocketsReply;
    replies.push(reply);
    silent.delete(reply.channel);
  }
  await Promise.allSettled(Array.from(silent, (channel) => layer.groupDiscard(group, channel)));
  return { replies, silent: Array.from(silent, serverName) };
}
