// The chat of examples/ in Chromium: pages of two server processes, and of linod and Django in one room.

import t from 'tap';
import { ChatPage, startBrowser } from '../support/browser.js';
import { chatSite, startServe } from '../support/chat-site.js';
import { startDjangoChat } from '../support/daphne.js';
import { eventually } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

t.test('pages of two server processes chat; a page is loaded anew; a server is killed', async (t) => {
  const site = chatSite(t);
  const [browser, first, second] = await Promise.all([startBrowser(t), startServe(site), startServe(site)]);
  const a = await ChatPage.open(browser, first.host);
  const b = await ChatPage.open(browser, second.host);
  await a.say('tere');
  await b.shows('tere');
  await b.say('tere, tere');
  await Promise.all([a.shows('tere, tere'), b.shows('tere, tere')]);
  t.same(await a.lines(), ['tere', 'tere, tere']);
  t.same(await b.lines(), ['tere', 'tere, tere']);

  await a.page.reload();
  await a.isConnected();
  await eventually('the socket of the old page has gone', async () => {
    const sockets: unknown = JSON.parse(await site.linod('sockets', '--json'));
    return Array.isArray(sockets) && sockets.length === 2;
  });
  await b.say('are you back?');
  await a.shows('are you back?');
  t.same(await a.lines(), ['are you back?'], 'each message comes once');

  first.server.kill('SIGKILL');
  await first.server.ended();
  await a.page.waitForFunction('socket.readyState !== WebSocket.OPEN');
  await b.say('nobody hears this there');
  await b.shows('nobody hears this there');
  await startServe(site, Number(first.host.split(':')[1]));
  await a.isConnected();
  await a.say('the server was killed');
  await Promise.all([a.shows('the server was killed'), b.shows('the server was killed')]);
  t.same(await a.lines(), ['are you back?', 'the server was killed']);
});

const count = 1000;
/** Beyond its capacity a channel of channels_redis drops messages, so neither page gets further ahead of the other. */
const window = 25;

/**
 * Hides the log, because drawing it takes most of the time, and has a page say `NAME 1`, `NAME 2`…, each when the other page's message so many before has come. Resolves when it has got
 * all messages of both.
 */
const talk = (name: string, other: string) => `new Promise((resolve) => {
  document.querySelector('#log').hidden = true;
  let said = 0;
  let heard = 0;
  let all = 0;
  const go = () => {
    for (; said < ${count} && said < heard + ${window}; said++) {
      text.value = '${name} ' + (said + 1);
      document.querySelector('#form').requestSubmit();
    }
  };
  socket.addEventListener('message', ({ data }) => {
    if (data.includes('${other} ')) heard++;
    if (++all === ${2 * count}) resolve();
    go();
  });
  go();
})`;

t.test('a Django page and a linod page say 1,000 messages each; both show all in order', async (t) => {
  const redis = await RedisServer.start(t);
  const site = chatSite(t);
  site.environment = { LINOD_CHANNEL_LAYER: redis.url };
  const [browser, { host }, django] = await Promise.all([
    startBrowser(t),
    startServe(site),
    startDjangoChat(t, redis.url),
  ]);
  const pages = [await ChatPage.open(browser, host), await ChatPage.open(browser, django)];
  const names = ['linod', 'django'];
  const wanted = (name: string) => Array.from({ length: count }, (_, i) => `${name} ${i + 1}`);
  await Promise.all(
    pages.map(async ({ page }, i) => page.evaluate(talk(names[i] ?? '', names[1 - i] ?? ''))),
  );
  for (const page of pages) {
    const lines = await page.lines();
    t.equal(lines.length, 2 * count);
    for (const name of names)
      t.same(
        lines.filter((line) => line.startsWith(name)),
        wanted(name),
      );
  }
});
