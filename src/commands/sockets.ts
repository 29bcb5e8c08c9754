// linod sockets: the WebSockets of all server processes of a site.

import type { Command } from 'commander';
import type { ChannelLayer } from '../../channels/index.js';
import type { SocketReport } from '../../channels/server/index.js';
import { durationText } from '../base/duration.js';
import {
  type CloseSocket,
  type ListSockets,
  type SocketsReply,
  serversGroup,
} from '../http/socket-directory.js';
import type { Site } from '../site/site.js';
import { ExitError, exitCodes, requireSite, type SiteJsonFlags, siteCommand } from './main.js';
import { type Column, print, printList, say } from './views/output.js';

/** A server that does not answer in this time is hung, or was killed and is still a member of the group. */
const answerMs = 2000;

type ListedSocket = SocketReport & { readonly pid: number };

const columns: ReadonlyArray<Column<ListedSocket>> = [
  { title: 'id', cell: ({ id }) => id },
  { title: 'pid', cell: ({ pid }) => String(pid) },
  { title: 'client', cell: ({ client }) => client ?? '—' },
  { title: 'path', cell: ({ path }) => JSON.stringify(path).slice(1, -1) },
  { title: 'age', cell: ({ ageMs }) => durationText(ageMs) },
  { title: 'queued', cell: ({ queuedBytes }) => String(queuedBytes) },
  { title: 'sent', cell: ({ sent }) => String(sent) },
  { title: 'dropped', cell: ({ dropped }) => String(dropped) },
  { title: 'groups', cell: ({ groups }) => groups.join(', ') },
];

export function socketsCommand(): Command {
  const command = siteCommand(
    'sockets',
    'the open WebSockets of all servers of the site, or close one',
    'Example:\n  $ linod sockets\n  $ linod sockets --close 3f2a90c1d4e5',
  )
    .option('--close <id>', 'close this socket with 1001')
    .action(async (flags: SiteJsonFlags & { readonly close?: string }) => {
      const site = await requireSite(flags);
      const layer = await site.openLayer();
      try {
        if (flags.close === undefined) await list(site, layer, flags);
        else await close(site, layer, flags.close);
      } finally {
        await layer.close();
      }
    });
  return command;
}

async function list(site: Site, layer: ChannelLayer, flags: SiteJsonFlags): Promise<void> {
  const replies = await ask(
    site,
    layer,
    (reply_channel): ListSockets => ({ type: 'sockets.list', reply_channel }),
  );
  const sockets = replies.flatMap(({ pid, sockets }) => sockets.map((socket) => ({ ...socket, pid })));
  const json = ({ client, ...socket }: ListedSocket) => ({ ...socket, client: client ?? null });
  printList(flags, sockets, { columns, json, none: 'no WebSocket is open' });
}

async function close(site: Site, layer: ChannelLayer, id: string): Promise<void> {
  const replies = await ask(
    site,
    layer,
    (reply_channel): CloseSocket => ({ type: 'sockets.close', id, reply_channel }),
  );
  if (replies.some(({ closed }) => closed)) return print(`socket ${id} is closed`);
  say(`there is no socket ${JSON.stringify(id)}; "linod sockets" lists them`);
  throw new ExitError(exitCodes.failed);
}

/** Asks all servers, and waits until all have answered, or for {@link answerMs}. */
async function ask(
  site: Site,
  layer: ChannelLayer,
  question: (replyChannel: string) => ListSockets | CloseSocket,
): Promise<SocketsReply[]> {
  const replyChannel = await layer.newChannel('linod');
  const [group] = await layer.groups(serversGroup(site));
  const servers = group?.members.length ?? 0;
  await layer.groupSend(serversGroup(site), question(replyChannel));
  const replies: SocketsReply[] = [];
  const signal = AbortSignal.timeout(answerMs);
  while (replies.length < servers && !signal.aborted) {
    const received = await layer.receive(replyChannel, { signal }).catch(() => undefined);
    if (received?.type === 'sockets.reply') replies.push(received as unknown as SocketsReply);
  }
  if (replies.length < servers) say(`${servers - replies.length} of ${servers} servers did not answer`);
  return replies;
}
