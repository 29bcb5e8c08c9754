import { defineSite } from 'linod';
import { AllowedHosts, Consumer, ProtocolTypeRouter, path, URLRouter } from 'linod/channels';
import { Chat } from './chat.js';
import { Page } from './page.js';

// `linod serve` serves it. Add your own host to the list: the browser's Origin has to fit, too.
export default defineSite({
  name: 'chat',
  application: ({ layer }) =>
    AllowedHosts(
      ProtocolTypeRouter({
        http: URLRouter([
          path(
            '/chat/:room/',
            Consumer.application(() => new Page()),
          ),
        ]),
        websocket: URLRouter([
          path(
            '/ws/chat/:room/',
            Consumer.application(() => new Chat({ layer })),
          ),
        ]),
      }),
      ['localhost', '127.0.0.1', '[::1]'],
    ),
});
