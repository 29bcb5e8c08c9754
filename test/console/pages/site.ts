// One site for all tests of pages: with procedures that ship, WebSockets, and a worker whose tasks have not been started.

import { pathToFileURL } from 'node:url';
import t from 'tap';
import { ConsoleSite } from '../../support/console.js';

const built = (path: string) => pathToFileURL(`${process.cwd()}/dist/${path}`).href;

const config = `
import { Consumer, ProtocolTypeRouter, WebsocketConsumer } from '${built('channels/index.js')}';

class Chat extends WebsocketConsumer {
  groups = ['chat'];
}
export default {
  name: 'test',
  timezone: 'Europe/Tallinn',
  consolePrefix: '/tools/linod',
  application: ({ layer }) => ProtocolTypeRouter({ websocket: Consumer.application(() => new Chat({ layer })) }),
};
`;

export const site = await ConsoleSite.start(t, { files: { 'linod.config.ts': config } });
