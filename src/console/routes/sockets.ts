// The WebSockets of all servers of the site.

import { askServers } from '../../http/socket-directory.js';
import type { SocketsView } from '../api.js';
import { notFound } from '../errors.js';
import type { Route } from '../router.js';

export const socketsRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: 'api/sockets',
    role: 'viewer',
    handle: async ({ context: { site, layer } }): Promise<SocketsView> => {
      const { replies, silent } = await askServers(site, layer, { type: 'sockets.list' });
      return {
        sockets: replies.flatMap(({ pid, sockets }) => sockets.map((one) => ({ ...one, pid }))),
        silent,
      };
    },
  },
  {
    method: 'POST',
    path: 'api/sockets/:id/close',
    role: 'operator',
    action: 'socket.close',
    handle: async ({ context: { site, layer }, params: { id = '' } }, note) => {
      note({ target: `socket ${id}` });
      const { replies } = await askServers(site, layer, { type: 'sockets.close', id });
      if (!replies.some(({ closed }) => closed)) throw notFound(`socket ${JSON.stringify(id)}`);
      return {};
    },
  },
];
