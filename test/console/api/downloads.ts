// The download of a log whose client or console leaves in the middle.

import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { ConsoleServer } from '../../support/console-server.js';

/** A download that has begun, of a log that is larger than what connections hold. */
async function begunDownload(t: Test) {
  const server = await ConsoleServer.start(t);
  const { logFile } = server.site;
  mkdirSync(dirname(logFile), { recursive: true });
  const line = `2026-11-24 20:00:01.123+00:00 INFO web[1]#1 shop: ${'x'.repeat(1000)}\n`;
  writeFileSync(logFile, line.repeat(32_000));
  const viewer = await server.signedIn('viewer');
  const response = await viewer.open('GET', 'api/log/download');
  response.on('error', () => undefined);
  await once(response, 'data');
  return { server, response };
}

t.test('a client that leaves is no error of the console', async (t) => {
  const { server, response } = await begunDownload(t);
  response.destroy();
  await server.console.close();
  t.notMatch(server.records.join('\n'), /ERROR/);
});

t.test('a download that the end of the console cuts off does not look whole', async (t) => {
  const { server, response } = await begunDownload(t);
  const over = new Promise<void>((resolve) => response.once('close', () => resolve()));
  await Promise.all([server.console.close(), over]);
  t.equal(response.complete, false);
});
