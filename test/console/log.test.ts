// The log in the console: its pages, new lines through cut connections and floods, and whether it is complete.

import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import type { CompletenessView, LogEvent, LogLine, LogPage } from '../../src/console/api.js';
import { findLogParts } from '../../src/log/read/files.js';
import { readAll } from '../../src/log/read/page.js';
import { type LogReport, verifyLog } from '../../src/log/read/verify.js';
import { LogWriter } from '../../src/log/writer/writer.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { allAccessFaults, ConsoleSite, ConsoleTab } from '../support/console.js';
import { type ConsoleClient, ConsoleServer } from '../support/console-server.js';
import { stopApplication } from '../support/live-site.js';
import { batchOf, range } from '../support/log.js';
import { eventually } from '../support/programs.js';
import { edit, recordsIn, writeRealLog } from '../support/real-log.js';
import { SwallowingProxy } from '../support/swallowing-proxy.js';
import { until } from '../support/until.js';

const tab = await ConsoleTab.open(t);

/** How long records come at 1,000 a second through cut connections. */
const seconds = Number(process.env.CONSOLE_LOG_SECONDS ?? 3);

/** A console of a site that has a log in three files: 30 records of `web[812]` and of `mail[77]`. */
async function serverWithLog(t: Test) {
  const server = await ConsoleServer.start(t);
  mkdirSync(dirname(server.site.logFile), { recursive: true });
  const log = await writeRealLog(dirname(server.site.logFile));
  return { server, log, viewer: await server.signedIn('viewer') };
}

async function page(client: ConsoleClient, query: string): Promise<LogPage> {
  const answer = await client.get(`api/log?${query}`);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json<LogPage>();
}

function names(lines: readonly LogLine[]): string[] {
  return lines.map(({ sender, number }) => `${sender ?? '-'}#${number}`);
}

/** The records of a log, as its reader finds them. */
async function namesIn(path: string): Promise<string[]> {
  const found: string[] = [];
  const options = { timezone: 'UTC', signal: new AbortController().signal };
  for await (const records of readAll(path, options))
    found.push(...records.map(({ head }) => `${head?.sender ?? '-'}#${head?.sender ? head.number : null}`));
  return found;
}

async function report(path: string): Promise<LogReport> {
  return await verifyLog(await findLogParts(path, 'UTC'), { growing: path });
}

const line = (number: number, text: string, level = 'INFO') =>
  `2026-11-24 20:00:01.123+00:00 ${level} web[1]#${number} shop.orders: ${text}\n`;

t.test('pages lead backwards and forwards over rotated and packed files', async (t) => {
  const { log, viewer } = await serverWithLog(t);
  const all = await namesIn(log.current);
  const backwards: LogLine[] = [];
  let { lines, before, after } = await page(viewer, 'limit=7');
  const end = after;
  backwards.unshift(...lines);
  while (before !== null) {
    ({ lines, before } = await page(viewer, `limit=7&before=${before}`));
    backwards.unshift(...lines);
  }
  t.same(names(backwards), all);
  const forwards: LogLine[] = [];
  let isEnd = false;
  for (after = backwards[0]?.id ?? ''; !isEnd; ) {
    ({ lines, after, isEnd } = await page(viewer, `limit=7&after=${after}`));
    forwards.push(...lines);
  }
  t.same(forwards, backwards);
  t.equal(after, end);
});

t.test(
  'a position stays valid when its file is renamed and packed, and is 404 when it is gone',
  async (t) => {
    const { log, viewer } = await serverWithLog(t);
    const { lines } = await page(viewer, 'limit=5');
    const [, , wanted] = lines;
    const around = () => viewer.get(`api/log/around?id=${wanted?.id}&lines=2`);
    t.same((await around()).json<LogPage>().lines, lines);
    renameSync(log.current, `${log.current}-20990101`);
    const packed = gzipSync(readFileSync(`${log.current}-20990101`));
    appendFileSync(`${log.current}-20990101.gz`, packed);
    rmSync(`${log.current}-20990101`);
    t.same((await around()).json<LogPage>().lines, lines);
    rmSync(`${log.current}-20990101.gz`);
    t.equal((await around()).status, 404);
    t.equal((await viewer.get('api/log/around?id=junk')).status, 400);
  },
);

t.test('lines are filtered, and the download has the same', async (t) => {
  const server = await ConsoleServer.start(t);
  const { logFile } = server.site;
  mkdirSync(dirname(logFile), { recursive: true });
  const texts = [
    line(1, 'early').replace('20:00', '10:00'),
    line(2, 'bad thing', 'ERROR'),
    'foreign \x1b[31m\n',
    line(3, 'other').replace('shop.orders', 'mail'),
    line(4, 'late').replace('web[1]', 'cron[5]').replace('20:00', '22:00'),
  ];
  appendFileSync(logFile, texts.join(''));
  const viewer = await server.signedIn('viewer');
  const cases: ReadonlyArray<readonly [query: string, found: readonly number[]]> = [
    ['', [0, 1, 2, 3, 4]],
    ['level=warning', [1]],
    ['logger=shop', [0, 1, 4]],
    ['sender=web', [0, 1, 3]],
    ['sender=cron[5]', [4]],
    ['text=thing', [1]],
    ['since=2026-11-24T12:00&level=INFO', [1, 3, 4]],
    ['until=2026-11-24T21:00&level=INFO', [0, 1, 3]],
  ];
  for (const [query, found] of cases) {
    const wanted = found.map((index) => texts[index]?.replace('\x1b', '\\x1b')).join('');
    const download = await viewer.get(`api/log/download?${query}`);
    t.equal(download.text, wanted, query);
    const { lines } = await page(viewer, query);
    t.equal(lines.length, found.length, query);
  }
  t.match((await viewer.get('api/log/download')).headers, { 'content-disposition': /attachment/ });
  for (const query of ['level=loud', 'since=soon', 'before=junk'])
    t.equal((await viewer.get(`api/log?${query}`)).status, 400, query);
  t.equal((await server.client().get('api/log/download')).status, 401);
});

/** Asks until the check has read all that the log has. */
async function completeness(client: ConsoleClient, wanted: LogReport): Promise<CompletenessView> {
  let view: CompletenessView | undefined;
  await until('the check is where log verify is', async () => {
    view = (await client.get('api/log/senders')).json<CompletenessView>();
    return view.checked === 1 && JSON.stringify(summary(view)) === JSON.stringify(summaryOf(wanted));
  });
  if (view === undefined) throw new Error('unreachable');
  return view;
}

function summary({ faults, senders }: CompletenessView) {
  const each = senders.map(({ sender, epoch, first, last, gaps }) => ({
    sender,
    epoch,
    first,
    last,
    gaps: gaps.map(({ from, to }) => ({ from, to })),
  }));
  return { faults, senders: each.sort((a, b) => (a.sender < b.sender ? -1 : 1)) };
}

function summaryOf({ faultCount, faults, senders, lost }: LogReport) {
  const missing = [...faults.filter(({ kind }) => kind === 'missing'), ...lost];
  const each = senders.map(({ sender, epoch, first, last }) => ({
    sender,
    epoch,
    first,
    last,
    gaps: missing
      .filter((fault) => fault.sender === sender && fault.epoch === epoch)
      .map(({ from = 0, to = 0 }) => ({ from, to }))
      .sort((a, b) => a.from - b.from),
  }));
  return { faults: faultCount, senders: each.sort((a, b) => (a.sender < b.sender ? -1 : 1)) };
}

t.test('the completeness is that of log verify, also of a log that is damaged and goes on', async (t) => {
  const { log, viewer } = await serverWithLog(t);
  const sound = await completeness(viewer, await report(log.current));
  t.same(sound.senders.map(({ sender, proven }) => `${sender} ${proven}`).sort(), [
    'mail[77] 30',
    'web[812] 30',
  ]);

  edit(log.rotated, (text) =>
    recordsIn(text)
      .filter((record) => !/web\[812\]#1[34] /.test(record))
      .join(''),
  );
  const damaged = await report(log.current);
  t.equal(damaged.isSound, false);
  // A file that was read is not read again as long as its size is the same and nothing is renamed.
  rmSync(`${log.current}.9`, { force: true });
  appendFileSync(log.current, 'what is this\n');
  const found = await completeness(viewer, await report(log.current));
  const web = found.senders.find(({ sender }) => sender === 'web[812]');
  t.match(web, { proven: 12, last: 30, gaps: [{ from: 13, to: 14, text: 'missing' }] });
  const around = await viewer.get(`api/log/around?id=${web?.gaps[0]?.id}&lines=0`);
  t.same(names(around.json<LogPage>().lines), ['web[812]#15'], 'the gap leads to where it was noticed');

  const writer = new LogWriter({ path: log.current, clock: new ManualClock() });
  await writer.start();
  const write = async (from: number, to: number) => {
    writer.accept(
      batchOf({ sender: 'web[812]', numbers: range(from, to), acked: from - 1, base: from }),
      () => {},
    );
    await writer.settled();
  };
  await write(31, 40);
  await completeness(viewer, await report(log.current));
  renameSync(log.rotated, log.packed.replace('2.gz', '3'));
  renameSync(log.current, log.rotated);
  await writer.reopen();
  await write(41, 50);
  await completeness(viewer, await report(log.current));
  rmSync(log.packed);
  await write(51, 55);
  await completeness(viewer, await report(log.current));
  await writer.stop();
});

/** The events of the log on one connection. */
class LogTab {
  readonly response: IncomingMessage;
  readonly onEvent: (event: LogEvent, id: string) => void;
  #text = '';

  static async open(
    t: Test,
    client: ConsoleClient,
    after: string,
    onEvent: (event: LogEvent, id: string) => void,
  ): Promise<LogTab> {
    const headers = after === '' ? {} : { 'last-event-id': after };
    const response = await client.open('GET', 'api/stream?log=1', undefined, headers);
    t.teardown(() => response.destroy());
    return new LogTab(response, onEvent);
  }

  private constructor(response: IncomingMessage, onEvent: (event: LogEvent, id: string) => void) {
    this.response = response;
    this.onEvent = onEvent;
    response.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    response.on('error', () => undefined);
  }

  #take(text: string): void {
    this.#text += text;
    const events = this.#text.split('\n\n');
    this.#text = events.pop() ?? '';
    for (const event of events) {
      const id = /^id: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (id !== undefined && data !== undefined) this.onEvent(JSON.parse(data), id);
    }
  }
}

/** Keeps the sender and number of every line that the page draws, in their order. */
const keepDrawn = `globalThis.drawn = [];
  const keep = (line) => drawn.push(/\\S+\\[\\d+\\]#[\\d,]+|/.exec(line.children[2].textContent)[0].replaceAll(',', ''));
  document.querySelectorAll('.log .line').forEach(keep);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        if (node.matches?.('.line')) keep(node);
        else node.querySelectorAll?.('.line').forEach(keep);
  }).observe(document.querySelector('.log'), { childList: true, subtree: true })`;

t.test('through cut connections and a killed worker each record comes once, in order', async (t) => {
  const site = await ConsoleSite.start(t, { tab, logRotateMegabytes: 0.1 });
  const other = await site.site.startWorker();
  await site.site.initiate();
  await site.site.logged(/./);
  const { port } = new URL(site.url);
  const proxy = await SwallowingProxy.start(t, Number(port));
  const page = await tab.show(await site.signIn('viewer', site.url.replace(port, String(proxy.port))), 'log');
  await page.getByText('Follows the end').waitFor();
  await page.locator('.line').first().waitFor();
  await page.evaluate(keepDrawn);

  const client = await site.signIn('viewer');
  const begin = (await client.get('api/log?limit=1000')).json<LogPage>();
  const got = names(begin.lines);
  let omitted = 0;
  let last = begin.after ?? '';
  const open = () =>
    LogTab.open(t, client, last, (event, id) => {
      got.push(...names(event.lines));
      omitted += event.omitted ?? Number.NaN;
      last = id;
    });
  const application = site.site.startApplication('app', { burst: 1 });
  for (let cut = 0; cut < 50; cut++) {
    const seen = got.length;
    const stream = await open();
    await until('something came', () => got.length > seen);
    await setTimeout((seconds * 1000 * Math.random()) / 50);
    stream.response.destroy();
    // A page draws what comes, which takes longer, so that it is cut less often.
    if (cut % 10 === 5) proxy.passOn();
    if (cut === 20) site.worker.kill('SIGKILL');
  }
  const logged = await stopApplication(application);
  await site.site.untilRecords(application, 'app', logged);
  other.kill('SIGTERM');
  await other.ended();
  // Nobody writes any more.
  const all = await namesIn(site.site.logFile);
  await open();
  await until('all came', () => got.length >= all.length);
  t.equal(omitted, 0);
  t.same(got, all);
  const numbered = all.filter((name) => !name.startsWith('-'));
  const isLast = `drawn.includes(${JSON.stringify(numbered.at(-1))})`;
  await eventually('the page draws the last record', () => page.evaluate<boolean>(isLast));
  const drawn = await page.evaluate<string[]>('drawn');
  // On a slow machine the page draws less than all, and says how much it leaves out.
  const note = page.getByText(/lines? left out, because/);
  const leftOut =
    (await note.count()) === 0 ? 0 : Number(((await note.textContent()) ?? '').replace(/\D/g, ''));
  t.equal(drawn.length + leftOut, all.length);
  const kept = new Set(drawn);
  const ofSenders = drawn.filter((name) => name !== '');
  t.same(ofSenders, leftOut === 0 ? numbered : numbered.filter((name) => kept.has(name)));
  const { records, isSound } = await report(site.site.logFile);
  t.ok(isSound);
  t.equal(numbered.length, records);
});

t.test('of a flood a tab gets a part, and how many lines are left out', async (t) => {
  const server = await ConsoleServer.start(t);
  const { logFile } = server.site;
  mkdirSync(dirname(logFile), { recursive: true });
  appendFileSync(logFile, line(1, 'begin'));
  let [lines, omitted, largest, lastNumber] = [0, 0, 0, 0];
  let isReady = false;
  await LogTab.open(t, await server.signedIn('viewer'), '', (event) => {
    isReady = true;
    lines += event.lines.length;
    omitted += event.omitted ?? Number.NaN;
    largest = Math.max(largest, event.lines.length);
    const number = event.lines.at(-1)?.number ?? lastNumber;
    t.ok(number >= lastNumber);
    lastNumber = number;
  });
  await until('the tab listens', () => isReady);
  // More bytes than a tab may be behind.
  const total = 30_000;
  const lineOf = (number: number) => line(number, 'x'.repeat(400));
  for (let n = 0; n < total; n += 1000) {
    appendFileSync(
      logFile,
      range(n + 2, n + 1001)
        .map(lineOf)
        .join(''),
    );
    await setTimeout(20);
  }
  await until('all lines are accounted for', () => lines + omitted >= total);
  t.equal(lines + omitted, total);
  t.ok(omitted > 0 && lines > 0);
  t.ok(largest <= 500, `${largest} lines in one event`);
  appendFileSync(logFile, line(total + 2, 'end'));
  await until('what comes later comes again', () => lastNumber === total + 2);
});

async function shown(page: Page, text: string): Promise<void> {
  await page.locator('.line', { hasText: text }).first().waitFor();
}

t.test('the page follows, pauses, filters, and shows the lines around a line', async (t) => {
  const server = await ConsoleServer.start(t);
  const { logFile } = server.site;
  mkdirSync(dirname(logFile), { recursive: true });
  await writeRealLog(dirname(logFile));
  const viewer = await server.signedIn('viewer');
  const page = await tab.show(viewer, 'log');
  await page.getByText('✓ The log is complete.').waitFor();
  await page.getByText('Follows the end').waitFor();
  await shown(page, 'web[812]#');
  const script = '<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>\x1b[31m';
  const stack = `record 2 ${script} \n    Error: no \n      at x.js:1:2`;
  appendFileSync(logFile, line(1, 'record 1') + line(2, stack, 'ERROR') + line(3, 'record 3'));
  await shown(page, 'record 3');

  await page.getByLabel('Text').fill('record 2');
  await eventually('only that is shown', async () => (await page.locator('.line').count()) === 1);
  t.match(page.url(), /text=record\+2/);
  t.equal(await page.locator('.line .level').textContent(), 'ERROR');
  t.match(
    await page.locator('.line .text').textContent(),
    /record 2 <img .*\\x1b\[31m\nError: no\n {2}at x\.js/,
  );
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  t.equal(recordsIn(readFileSync(await (await download).path(), 'utf8')).length, 1);
  await page.locator('.line .at').click();
  await shown(page, 'record 3');
  t.match(await page.locator('.line[aria-current]').textContent(), /record 2/);
  await page.goBack();
  await eventually('the filter is back', async () => (await page.locator('.line').count()) === 1);
  await page.getByRole('link', { name: 'Log', exact: true }).click();
  await shown(page, 'record 3');

  const many = range(1, 6000).map((n) => line(n < 2000 ? n + 3 : n + 8, `many ${n}`));
  appendFileSync(logFile, many.join(''));
  await shown(page, 'many 6000');
  await eventually('few lines are drawn', async () => (await page.locator('.line').count()) < 2000);
  await page.evaluate(`document.querySelector('.log').scrollTop -= 3000`);
  const toEnd = page.getByRole('button', { name: 'To the end' });
  await toEnd.waitFor();
  appendFileSync(logFile, line(6009, 'while paused'));
  await toEnd.click();
  await shown(page, 'while paused');
  await page.locator('.completeness summary').click();
  await page.locator('.gaps a', { hasText: 'web[1]#2,003 to 2,007 are missing' }).click();
  await page.locator('.gap', { hasText: 'web[1]#2,003 to 2,007 are missing' }).waitFor();

  await page.goto(`${server.console.url}log?text=many+2000`);
  await page.locator('.gap.bad').waitFor();
  await page.locator('.completeness summary').click();
  t.same(await allAccessFaults(page), []);

  await tab.show(viewer, 'log');
  await shown(page, 'while paused');
  const flood = range(6010, 36_000).map((n) => line(n, `flood ${n} ${'x'.repeat(400)}`));
  appendFileSync(logFile, flood.join(''));
  await page.getByText(/[1-9][\d,]* lines left out/).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await shown(page, 'flood 36000');
  t.ok((await page.locator('.line').count()) < 2000, 'the page keeps a bounded part');
  t.equal(await page.evaluate('globalThis.hacked'), undefined);
  t.same(tab.faults, []);
});
