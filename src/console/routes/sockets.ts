// The WebSockets of all servers of the site.

import { askServers } from '../../http/socket-directory.js';
import type { SocketsView } from '../api.js';
import { notFound } from '../errors.js';
import { change, type Route, read } from '../router.js';

export const socketsRoutes: readonly Route[] = [
  read('api/sockets', async ({ context: { site, layer } }): Promise<SocketsView> => {
    const { replies, silent } = await askServers(site, layer, { type: 'sockets.list' });
    return {
      sockets: replies.flatMap(({ pid, sockets }) => sockets.map((one) => ({ ...one, pid }))),
      silent,
    };
  }),
  change(
    'api/sockets/:id/close',
    'socket.close',
    async ({ context: { site, layer }, params: { id = '' } }, note) => {
      note({ target: `socket ${id}` });
      const { replies } = await askServers(site, layer, { type: 'sockets.close', id });
      if (!replies.some(({ closed }) => closed)) throw notFound(`socket ${JSON.stringify(id)}`);
      return {};
    },
    'admin',
  ),
];
