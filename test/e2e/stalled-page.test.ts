// Pages of Chromium that stop reading, while a group goes on: an open dialog stands still for the whole page.

import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import t from 'tap';
import { startBrowser } from '../support/browser.js';
import { startServe } from '../support/chat-site.js';
import { LiveSite } from '../support/live-site.js';

const built = (path: string) => pathToFileURL(`${process.cwd()}/dist/${path}`).href;

/** Each request for `/say` has the group get the next number, and answers what the server knows of the stalled pages. */
const config = `
import {
  Consumer, HttpConsumer, path, ProtocolTypeRouter, SlowClient, URLRouter, WebsocketConsumer,
} from '${built('channels/index.js')}';

const page = \`<!doctype html><script>
  const numbers = [];
  let dropped = 0;
  let code = 0;
  const socket = new WebSocket(location.href.replace('http', 'ws'));
  socket.onmessage = ({ data }) => {
    if (data.startsWith('dropped ')) dropped += Number(data.slice(8));
    else numbers.push(Number.parseInt(data));
  };
  socket.onclose = (event) => { code = event.code; };
</script>\`;
/** How many messages the server has dropped, by what it does then. */
const known = { said: 0, closing: 0, dropping: 0 };

class Pages extends HttpConsumer {
  async handle() { await this.sendResponse(200, page, { 'content-type': 'text/html' }); }
}
class Say extends HttpConsumer {
  async handle() {
    await this.layer.groupSend('numbers', { type: 'number.said', number: ++known.said });
    await this.sendResponse(200, JSON.stringify(known));
  }
}
class Numbers extends WebsocketConsumer {
  groups = ['numbers'];
  kind = 'closing';
  async numberSaid({ number }) {
    await this.send(number + 'x'.repeat(65_536));
    known[this.kind] = Math.max(known[this.kind], this.scope.extensions.socket.dropped);
  }
}
class Dropping extends Numbers {
  kind = 'dropping';
  slowClient = SlowClient.dropOldest({ announce: (count) => 'dropped ' + count });
}
const pages = Consumer.application(() => new Pages());
export default {
  name: 'test',
  shippedProcedures: false,
  application: ({ layer }) => ProtocolTypeRouter({
    http: URLRouter([path('/say', Consumer.application(() => new Say({ layer }))), path('/:kind', pages)]),
    websocket: URLRouter([
      path('/closing', Consumer.application(() => new Numbers({ layer }))),
      path('/dropping', Consumer.application(() => new Dropping({ layer }))),
    ]),
  }),
};
`;

async function open(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction('socket.readyState === WebSocket.OPEN');
  return page;
}

/** Opens a dialog in the page. @returns a function that closes it */
async function stall(page: Page): Promise<() => Promise<void>> {
  const opened = page.waitForEvent('dialog');
  await page.evaluate('void setTimeout(() => alert("stop"))');
  const dialog = await opened;
  return async () => await dialog.accept();
}

t.test('pages that do not read are closed, or told of their drops; the others go on', async (t) => {
  const site = new LiveSite(t, { files: { 'linod.config.ts': config } });
  const [browser, { host }] = await Promise.all([startBrowser(t), startServe(site)]);
  const say = async (): Promise<{ said: number; closing: number; dropping: number }> =>
    JSON.parse(await (await fetch(`http://${host}/say`)).text());
  const reader = await open(browser, `http://${host}/closing`);
  const closing = await open(browser, `http://${host}/closing`);
  const dropping = await open(browser, `http://${host}/dropping`);
  const goOn = [await stall(closing), await stall(dropping)];

  let known = await say();
  // What the kernel and Chromium keep for a page differs; so it goes on until both have got too much.
  while (known.closing === 0 || known.dropping === 0) {
    known = await say();
    await reader.waitForFunction(`numbers.length === ${known.said} || code !== 0`);
  }
  const { said } = await say();
  const all = Array.from({ length: said }, (_, i) => i + 1);
  await reader.waitForFunction(`numbers.length === ${said} || code !== 0`);
  t.same(await reader.evaluate('numbers'), all, 'who reads misses nothing');

  for (const resume of goOn) await resume();
  await closing.waitForFunction('code !== 0');
  t.equal(await closing.evaluate('code'), 1013);
  const seen = await closing.evaluate<number[]>('numbers');
  t.same(seen, all.slice(0, seen.length), 'until it was closed it missed nothing');
  await dropping.waitForFunction(`numbers.at(-1) === ${said}`);
  const { numbers, dropped } = await dropping.evaluate<{ numbers: number[]; dropped: number }>(
    '({ numbers, dropped })',
  );
  t.equal(numbers.length + dropped, said, 'what did not come was announced');
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
});
