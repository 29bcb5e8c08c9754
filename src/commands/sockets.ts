// linod sockets: the WebSockets of all server processes of a site.

import type { Command } from 'commander';
import type { SocketReport } from '../../channels/server/index.js';
import { durationText } from '../base/duration.js';
import { askServers, type SocketsReply } from '../http/socket-directory.js';
import {
  ExitError,
  exitCodes,
  refuseUnknownCommand,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
} from './main.js';
import { type Column, print, printJson, printList, say } from './views/output.js';

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
    'list the open WebSockets of all servers of the site',
    'Example:\n  $ linod sockets',
  )
    .allowExcessArguments()
    .hook('preAction', (self, action) => {
      if (self === action) refuseUnknownCommand(self);
    })
    .action(async (flags: SiteJsonFlags) => {
      const replies = await ask(flags, { type: 'sockets.list' });
      const sockets = replies.flatMap(({ pid, sockets }) => sockets.map((socket) => ({ ...socket, pid })));
      printList(flags, sockets, { columns, none: 'no WebSocket is open' });
    });
  command.addCommand(closeCommand());
  return command;
}

function closeCommand(): Command {
  return siteCommand(
    'close',
    'close a WebSocket, with code 1001',
    'Exit code 1: there is no such socket.\n\nExample:\n  $ linod sockets close 3f2a90c1d4e5',
  )
    .argument('<id>', 'the id of the socket, as "linod sockets" shows it')
    .action(async function (this: Command, id: string) {
      const flags = this.optsWithGlobals<SiteJsonFlags>();
      const closed = (await ask(flags, { type: 'sockets.close', id })).some((reply) => reply.closed);
      if (flags.json) printJson({ id, closed });
      else if (closed) print(`socket ${id} is closed`);
      else say(`there is no socket ${JSON.stringify(id)}; "linod sockets" lists them`);
      if (!closed) throw new ExitError(exitCodes.failed);
    });
}

/** Asks all servers of the site. Says which did not answer. */
async function ask(
  flags: SiteJsonFlags,
  question: Parameters<typeof askServers>[2],
): Promise<readonly SocketsReply[]> {
  const site = await requireSite(flags);
  const layer = await site.openLayer();
  try {
    const { replies, silent } = await askServers(site, layer, question);
    if (silent.length > 0) say(`these servers did not answer: ${silent.join('; ')}`);
    return replies;
  } finally {
    await layer.close();
  }
}
