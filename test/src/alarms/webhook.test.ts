// Requests about alarms.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { waysOf } from '../../../src/alarms/delivery/ways.js';
import { loadSite } from '../../../src/site/site.js';
import { siteDirectory } from '../../support/site.js';

t.test('a message of a job addresses nobody in Slack', async (t) => {
  const bodies: string[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    bodies.push(await text(request));
    response.end('ok');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const config = { alarmWebhook: `http://127.0.0.1:${port}`, alarmWebhookFormat: 'slack' } as const;
  const [way] = waysOf(await loadSite(siteDirectory(t, config), { environment: {} }));
  const about = { kind: 'failed', subject: 'rule 1', text: 'R&D: <!channel>', rule: 1 };
  const times = { raisedAt: '2026-11-24T12:00:00.000Z', clearedAt: null };
  await way?.send(
    [{ id: '1', site: 'test', alarm: 1, state: 'raised', ...about, ...times }],
    new AbortController().signal,
  );
  t.same(bodies, ['{"text":"test: R&amp;D: &lt;!channel&gt;"}']);
});

t.test('a URL with a password is refused, and the password is not shown', async (t) => {
  const directory = siteDirectory(t, { alarmWebhook: 'https://ann:pa55word@example.org/alarms' });
  const error = await loadSite(directory, { environment: {} }).catch((thrown: unknown) => thrown);
  t.match(error, { code: 'LINOD_ERR_BAD_CONFIG', message: /alarmWebhook/ });
  t.notMatch(String(error), /pa55word/);
});
