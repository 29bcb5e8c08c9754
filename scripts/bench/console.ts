// Measures the console on a site with a long history, in one run.
//
//     npm run bench:console -- [--only KEY]… [--rounds 3] [--quick] [--json]
//
// The site has 10,000 rules, a million jobs with their decisions, and a log of 1 GB; `--quick` makes a hundredth of it.
// The server is a process of its own, the browser is Debian's Chromium. Without Chromium only the server is measured.
//
// Exit codes: 0 measured, 1 failed or a row did not come, 2 used wrongly.

import { appendFileSync, existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { CompletenessView, LogPage } from '../../src/console/api.js';
import { addTicks, fullSizes, makeLongSite, quickSizes } from './console-site.js';
import { ConsoleTab, linkOf } from './console-tab.js';
import { type Context, contest, type Found, quantiles, type Row, say } from './contest.js';
import { linod, program, type Site, startWorker } from './linod.js';
import { Program } from './program.js';
import { freePort } from './servers.js';

const chromiumPath = '/usr/bin/chromium';
const streamCount = 50;
const tickCount = 100;

/** What a page asks for, for its nth visit. */
interface Visit {
  readonly n: number;
  readonly rule: number;
  readonly job: number;
  /** Some position in the log. */
  readonly position: string;
}

const nth = (words: readonly string[], n: number) => words[n % words.length] ?? '';
const hourMs = 3_600_000;
const ago = (hours: number) => new Date(Date.now() - hours * hourMs).toISOString();

const pages: Readonly<Record<string, (visit: Visit) => readonly string[]>> = {
  overview: () => ['overview'],
  rules: ({ n, rule }) => [
    `rules?limit=200&sort=${nth(['', 'name', '-name', 'next', '-next', 'last', '-last'], n)}`,
    `rules?limit=200&${nth([`after=${rule}`, 'text=branch', 'state=paused', 'state=running', 'state=never'], n)}`,
  ],
  rule: ({ rule }) => [`rules/${rule}`, `rules/${rule}/next`, `rules/${rule}/history`],
  timeline: ({ rule, n }) => {
    const hours = [24, 24 * 7, 24 * 90][n % 3] ?? 24;
    return [`rules/${rule}/timeline?from=${ago(hours)}&to=${ago(-hours)}`];
  },
  runs: ({ job, n, rule }) => [
    `jobs?limit=200&after=${job}`,
    `jobs?limit=200&${nth(['status=failed', 'status=failed,timeout,lost', 'status=running', `rule=${rule}`, 'since=2h', 'text=branch_2'], n)}`,
  ],
  'runs, a text that few have': ({ job }) => [`jobs?limit=200&text=of+job+${job}`],
  run: ({ job }) => [`jobs/${job}`, `jobs/${job}/story`, `jobs/${job}/lines`],
  log: ({ n, position }) => [
    `log?limit=200&${nth(['', `before=${position}`, `after=${position}`], n)}`,
    nth([`log?limit=200&since=1h`, 'log?limit=200&level=WARNING', `log/around?id=${position}`], n),
  ],
  'log, a text that few lines have': ({ n }) => [`log?limit=200&text=order+${n}99123`],
  'channels, sockets': () => ['channels', 'groups', 'sockets'],
  'workers, audit': () => ['workers', 'audit'],
};

const rows: readonly Row[] = [
  { work: 'first load', number: 'load.linod.kb', unit: 'KiB', aim: ['≤', 40] },
  { work: 'first load until the overview is shown: p50', number: 'load.linod.p50', unit: 'ms' },
  ...Object.keys(pages).flatMap((name): Row[] => [
    // A search reads the history backwards for a limited time.
    {
      work: `${name}: p50`,
      number: `api.linod.${name}, p50`,
      unit: 'ms',
      ...(name.includes('a text') ? {} : { aim: ['≤', 50] }),
    },
    { work: `${name}: p99`, number: `api.linod.${name}, p99`, unit: 'ms', aim: ['≤', 200] },
  ]),
  { work: 'completeness of the log: checked', number: 'check.linod.mbPerSecond', unit: 'MB/s' },
  { work: 'the session meanwhile: p99', number: 'check.linod.p99', unit: 'ms', aim: ['≤', 200] },
  {
    work: `memory of the server, ${streamCount} streams`,
    number: 'memory.linod.mib',
    unit: 'MiB',
    beside: [{ name: 'no stream', number: 'memory.none.mib' }],
  },
  { work: 'a job ends until its row is drawn: p50', number: 'row.linod.p50', unit: 'ms', aim: ['≤', 150] },
  { work: 'a job ends until its row is drawn: p99', number: 'row.linod.p99', unit: 'ms' },
  {
    work: `${tickCount} rules each second, ten consoles open: late by, p99`,
    number: 'lateness.consoles.p99',
    unit: 'ms',
    beside: [{ name: 'none open', number: 'lateness.none.p99', aim: ['≤', 1.2] }],
  },
  {
    work: `${tickCount} rules each second, ten consoles open: late by, p50`,
    number: 'lateness.consoles.p50',
    unit: 'ms',
    beside: [{ name: 'none open', number: 'lateness.none.p50' }],
  },
  {
    work: 'scrolling 10,000 rows: time between frames, p50',
    number: 'scroll.linod.p50',
    unit: 'ms',
    beside: [{ name: 'page without scripts', number: 'scroll.bare.p50' }],
  },
  {
    work: 'scrolling 10,000 rows: time between frames, p99',
    number: 'scroll.linod.p99',
    unit: 'ms',
    beside: [{ name: 'page without scripts', number: 'scroll.bare.p99' }],
  },
  {
    work: 'scrolling 10,000 rows: CPU of the main thread a frame',
    number: 'scroll.linod.cpu',
    unit: 'ms',
    aim: ['≤', 16],
    beside: [{ name: 'page without scripts', number: 'scroll.bare.cpu' }],
  },
  {
    work: 'scrolling 10,000 rows: frames of more than 50 ms',
    number: 'scroll.linod.long',
    unit: '%',
    beside: [{ name: 'page without scripts', number: 'scroll.bare.long' }],
  },
];

async function startConsole(site: Site): Promise<Program> {
  return await Program.start({
    name: 'linod console',
    command: process.execPath,
    args: [program('linod'), 'console', '--listen', '127.0.0.1:0'],
    directory: site.directory,
    ready: /#token=/,
  });
}

/** Serves the console, and signs in to it. */
async function withConsole<T>(site: Site, use: (tab: ConsoleTab, served: Program) => Promise<T>): Promise<T> {
  const served = await startConsole(site);
  try {
    return await use(await ConsoleTab.signIn(linkOf(served)), served);
  } finally {
    await served.stop();
  }
}

// ---- the API

async function measurePages(site: Site, quick: boolean): Promise<Found> {
  const sizes = quick ? quickSizes : fullSizes;
  return await withConsole(site, async (tab) => {
    const positions: string[] = [];
    for (let before = ''; positions.length < 5; ) {
      const page = await tab.get<LogPage>(`log?limit=1000${before}`);
      positions.push(page.lines[0]?.id ?? '');
      before = `&before=${page.before}`;
    }
    const found: Record<string, number> = {};
    for (const [name, pathsOf] of Object.entries(pages)) {
      const times = new Map<string, number[]>();
      for (let n = 0; n < (quick ? 8 : 60); n++) {
        const visit = {
          n,
          rule: 1 + ((n * 7919) % sizes.rules),
          job: 1 + ((n * 104_729) % sizes.jobs),
          position: nth(positions, n),
        };
        for (const path of pathsOf(visit)) {
          const ms = await tab.time(path);
          const kind = path.replace(/(\d+|=\d[^&]*)/g, '…');
          times.set(kind, [...(times.get(kind) ?? []), ms]);
        }
      }
      for (const [kind, ms] of times) {
        const { p50, p99 } = quantiles(ms);
        if (p50 > 50 || p99 > 200) say(`  api/${kind}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
      }
      const { p50, p99 } = quantiles([...times.values()].flat());
      found[`${name}, p50`] = p50;
      found[`${name}, p99`] = p99;
    }
    return found;
  });
}

/** How long the check of the whole log takes, and other calls while it goes on. */
async function measureCheck(site: Site, quick: boolean): Promise<Found> {
  return await withConsole(site, async (tab) => {
    const from = performance.now();
    const times: number[] = [];
    while ((await tab.get<CompletenessView>('log/senders')).checked < 1) {
      for (let i = 0; i < 20; i++) times.push(await tab.time('session'));
      await pause(20);
    }
    const megabytes = (quick ? quickSizes : fullSizes).logBytes / 1e6;
    return { mbPerSecond: (megabytes / (performance.now() - from)) * 1000, ...quantiles(times) };
  });
}

/** After all pages were asked for, and while a record a millisecond is written. */
async function measureMemory(site: Site, streams: number, quick: boolean): Promise<Found> {
  return await withConsole(site, async (first, served) => {
    for (const path of ['overview', 'rules?limit=200', 'jobs?limit=200', 'log?limit=200', 'workers'])
      await first.get(path);
    const tabs = Array.from({ length: streams }, () => first.another());
    await Promise.all(
      tabs.map((tab, i) => tab.open(`topics=jobs,rules,workers${i % 2 === 0 ? '&log=1' : ''}`)),
    );
    const memory: number[] = [];
    for (let i = 0; i < (quick ? 20 : 100); i++) {
      const time = new Date().toISOString().replace('T', ' ').replace('Z', '+00:00');
      const line = (n: number) => `${time} INFO probe[1]#${i * 100 + n} shop: order ${n} is paid\n`;
      appendFileSync(site.logFile, Array.from({ length: 100 }, (_, n) => line(n)).join(''));
      await pause(100);
      memory.push(served.usage().rssBytes / 1024 ** 2);
    }
    await Promise.all(tabs.map((tab) => tab.close()));
    return { mib: Math.max(...memory) };
  });
}

// ---- the browser

/** In the page: the time of its clock at which each run was first drawn as done. */
const watchRows = `
  globalThis.drawn = {};
  const look = () => {
    for (const row of document.querySelectorAll('tr[data-row]')) {
      const id = row.querySelector('a')?.textContent;
      if (id in drawn || !/done/.test(row.textContent)) continue;
      drawn[id] = Date.now();
    }
  };
  look();
  new MutationObserver(() => requestAnimationFrame(look))
    .observe(document.body, { subtree: true, childList: true, characterData: true });`;

async function measureRow(site: Site, browser: Browser, quick: boolean): Promise<Found> {
  const [served, worker] = [await startConsole(site), await startWorker(site)];
  const store = await linod.openStore(site);
  const layer = await site.openLayer();
  try {
    const page = await open(browser, linkOf(served), 'runs');
    await page.locator('tr[data-row]').first().waitFor();
    await page.evaluate(watchRows);
    const requests = new Set<number>();
    for (let i = 0; i < (quick ? 10 : 50); i++) {
      const { request } = await linod.RunJob.request({ site, store, layer, user: 'bench' }, 'asked');
      requests.add(request);
      await pause(200 + Math.random() * 200);
    }
    let times: number[] = [];
    for (let tries = 0; times.length < requests.size && tries < 100; tries++) {
      await pause(100);
      const drawn = await page.evaluate<Record<string, number>>('drawn');
      const jobs = await store.db
        .selectFrom('jobs')
        .select(['id', 'end_datetime'])
        .where('request_id', 'in', [...requests])
        .execute();
      times = jobs.flatMap(({ id, end_datetime }) => {
        const at = drawn[id];
        return at === undefined || end_datetime === null ? [] : [at - end_datetime];
      });
    }
    await page.context().close();
    if (times.length < requests.size) throw new Error(`of ${requests.size} runs ${times.length} were drawn`);
    return quantiles(times);
  } finally {
    await layer.close();
    await store.close();
    await worker.stop();
    await served.stop();
  }
}

/** A page of a new browser profile that is signed in. */
async function open(browser: Browser, link: string, path = ''): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(link.replace('#', `${path}#`));
  await page.locator('#navigation').waitFor({ state: 'attached' });
  return page;
}

/** In the page: notes when the overview is shown. */
const watchOverview = `
  new MutationObserver((_, observer) => {
    if (document.querySelector('#navigation') === null || document.querySelector('main a[href*="/rules/"]') === null) return;
    observer.disconnect();
    requestAnimationFrame(() => { globalThis.usableAt = performance.now(); });
  }).observe(document, { subtree: true, childList: true });`;

/** With an empty cache each time, but signed in. */
async function measureLoad(site: Site, browser: Browser, quick: boolean): Promise<Found> {
  const served = await startConsole(site);
  try {
    const first = await open(browser, linkOf(served));
    const storageState = await first.context().storageState();
    const url = linkOf(served).replace(/#.*/, '');
    await first.context().close();
    const times: number[] = [];
    let bytes = 0;
    for (let i = 0; i < (quick ? 3 : 15); i++) {
      const context = await browser.newContext({ storageState, viewport: { width: 1280, height: 800 } });
      await context.addInitScript(watchOverview);
      const page = await context.newPage();
      await page.goto(url);
      // The content security policy forbids that the page itself waits for a text of code.
      while (!(await page.evaluate<boolean>(`'usableAt' in globalThis`))) await pause(10);
      times.push(await page.evaluate<number>('usableAt'));
      bytes = await page.evaluate<number>(
        `performance.getEntries().filter((entry) => entry.encodedBodySize > 0 && !entry.name.includes('/api/'))
          .reduce((sum, entry) => sum + entry.encodedBodySize, 0)`,
      );
      await context.close();
    }
    return { kb: bytes / 1024, p50: quantiles(times).p50 };
  } finally {
    await served.stop();
  }
}

/** In the page: scrolls 80 pixels a frame, and resolves to the times between the frames. */
const scrollFor = (ms: number) => `new Promise((resolve) => {
  const times = [];
  let [before, step] = [performance.now(), 80];
  const until = before + ${ms};
  scrollTo(0, 0);
  const frame = (now) => {
    times.push(now - before);
    before = now;
    if (now > until) return resolve(times.slice(5));
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 80) step = -80;
    scrollBy(0, step);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

async function framesOf(page: Page, quick: boolean): Promise<Found> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const cpuMs = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000;
  };
  const before = await cpuMs();
  const times = await page.evaluate<number[]>(scrollFor(quick ? 2000 : 10_000));
  const cpu = ((await cpuMs()) - before) / times.length;
  const long = times.filter((ms) => ms > 50).length;
  return { ...quantiles(times), long: (long / times.length) * 100, cpu };
}

async function measureScroll(site: Site, browser: Browser, quick: boolean): Promise<Found> {
  const served = await startConsole(site);
  try {
    const page = await open(browser, linkOf(served), 'runs');
    const wanted = quick ? 2000 : 10_000;
    await page.locator('tr[data-row]').first().waitFor();
    // More rows are loaded when the end is near.
    for (let count = 0; count < wanted; ) {
      count = await page.evaluate<number>(`(() => {
        scrollTo(0, document.documentElement.scrollHeight);
        return Number(document.querySelector('table').getAttribute('aria-rowcount'));
      })()`);
      await pause(20);
    }
    const found = await framesOf(page, quick);
    await page.context().close();
    return found;
  } finally {
    await served.stop();
  }
}

async function measureBareScroll(browser: Browser, quick: boolean): Promise<Found> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.setContent(
    `<table>${'<tr style="height: 33px"><td>1000000</td><td>report</td><td>done</td></tr>'.repeat(1000)}</table>`,
  );
  const found = await framesOf(page, quick);
  await page.close();
  return found;
}

// ---- a worker that also serves the console

const openTabs: ReadonlyArray<readonly [stream: string, paths: readonly string[]]> = [
  ['topics=jobs,rules,workers,channels', ['overview']],
  ['topics=rules,jobs', ['rules?limit=200']],
  ['topics=rules,jobs', ['rules?limit=200&sort=-last']],
  ['topics=rules,jobs', ['rules/1', 'rules/1/history']],
  ['topics=rules,jobs', [`rules/2/timeline?from=${ago(24)}&to=${ago(-24)}`]],
  ['topics=jobs', ['jobs?limit=200']],
  ['topics=jobs', ['jobs?limit=200&status=failed']],
  ['topics=workers&log=1', ['workers']],
  ['topics=channels', ['channels', 'groups']],
  ['topics=audit', ['audit']],
];

/** A worker listens before its console does. */
async function untilServed(listen: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(`http://${listen}/`).catch(() => undefined);
    if (answer !== undefined) return;
    await pause(100);
  }
  throw new Error(`the worker serves no console on ${listen}`);
}

async function measureLateness(site: Site, quick: boolean, hasConsoles: boolean): Promise<Found> {
  await addTicks(site, tickCount);
  const listen = `127.0.0.1:${await freePort()}`;
  const worker = await startWorker(site, ...(hasConsoles ? ['--console', listen] : []));
  const tabs: ConsoleTab[] = [];
  if (hasConsoles) {
    const link = await Program.start({
      name: 'linod console link',
      command: process.execPath,
      args: [program('linod'), 'console', 'link', '--listen', listen],
      directory: site.directory,
      ready: /#token=/,
    });
    await untilServed(listen);
    const first = await ConsoleTab.signIn(linkOf(link));
    await link.stop();
    tabs.push(...openTabs.map(() => first.another()));
    await Promise.all(tabs.map((tab, i) => tab.open(...(openTabs[i] ?? ['topics=jobs', []]))));
  }
  await pause(3000);
  const from = Date.now();
  await pause(quick ? 3000 : 20_000);
  const until = Date.now();
  await Promise.all(tabs.map((tab) => tab.close()));
  await worker.stop();
  await rm(join(site.directory, 'procedures', 'ticks.mjs'));
  const calls: Array<[job: number, at: number]> = JSON.parse(
    await readFile(join(site.directory, 'calls.json'), 'utf8'),
  );
  const store = await linod.openStore(site);
  const jobs = await store.db
    .selectFrom('jobs')
    .select(['id', 'due_at'])
    .where('id', '>=', calls[0]?.[0] ?? 0)
    .execute();
  await store.close();
  const dueAt = new Map(jobs.map(({ id, due_at }) => [id, due_at ?? Number.NaN]));
  const late = calls.flatMap(([job, at]) => {
    const due = dueAt.get(job) ?? Number.NaN;
    return due > from && due <= until ? [at - due] : [];
  });
  const loads = tabs.reduce((sum, tab) => sum + tab.loads, 0);
  say(`  ${late.length} runs, ${loads} calls of tabs`);
  return { ...quantiles(late), runs: late.length };
}

await contest(rows, 3, async (directory, isWanted) => {
  const quick = process.argv.includes('--quick');
  const sizes = quick ? quickSizes : fullSizes;
  say(`making a site with ${sizes.rules} rules, ${sizes.jobs} jobs and ${sizes.logBytes / 1e6} MB of log`);
  const site = await makeLongSite(join(directory, 'site'), sizes);
  const needsBrowser = ['load', 'row', 'scroll'].some(isWanted) && existsSync(chromiumPath);
  const browser = needsBrowser
    ? await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
    : undefined;
  const inBrowser =
    (measure: (browser: Browser, context: Context) => Promise<Found>) => async (context: Context) =>
      browser === undefined ? undefined : await measure(browser, context);
  return {
    experiments: [
      {
        key: 'load',
        once: true,
        contestants: { linod: inBrowser((chrome) => measureLoad(site, chrome, quick)) },
      },
      { key: 'api', once: true, contestants: { linod: () => measurePages(site, quick) } },
      { key: 'check', once: true, contestants: { linod: () => measureCheck(site, quick) } },
      {
        key: 'row',
        once: true,
        contestants: { linod: inBrowser((chrome) => measureRow(site, chrome, quick)) },
      },
      {
        key: 'scroll',
        contestants: {
          linod: inBrowser((chrome) => measureScroll(site, chrome, quick)),
          bare: inBrowser((chrome) => measureBareScroll(chrome, quick)),
        },
      },
      {
        key: 'memory',
        once: true,
        contestants: {
          none: () => measureMemory(site, 0, quick),
          linod: () => measureMemory(site, streamCount, quick),
        },
      },
      {
        key: 'lateness',
        contestants: {
          none: () => measureLateness(site, quick, false),
          consoles: () => measureLateness(site, quick, true),
        },
      },
    ],
    close: async () => await browser?.close(),
  };
});
