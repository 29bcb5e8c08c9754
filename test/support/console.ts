// A site with a worker and its console as processes, and the tab of a browser that shows it.

import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import { createLink } from '../../src/console/access/secrets.js';
import type { Role } from '../../src/console/api.js';
import { startBrowser } from './browser.js';
import { ConsoleClient } from './console-server.js';
import { LiveSite, type LiveSiteOptions } from './live-site.js';
import type { Program } from './programs.js';

const wide = { width: 1280, height: 800 };

/** The one tab of a browser. A further browser profile would cost a second of the processor. */
export class ConsoleTab {
  readonly page: Page;
  /** What went wrong in the pages: errors, and what the content security policy refused. */
  readonly faults: string[] = [];

  static async open(t: Test): Promise<ConsoleTab> {
    const browser = await startBrowser(t);
    const context = await browser.newContext({ viewport: wide });
    // No shorter than the patience of `eventually`.
    context.setDefaultTimeout(120_000);
    return new ConsoleTab(await context.newPage());
  }

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.faults.push(String(error)));
    page.on('console', (message) => {
      // Chromium also logs each answer that is no success, which can be what a test wants.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.faults.push(message.text());
    });
  }

  /** Loads a path such as `rules` with the cookie of this client. The tab is wide, and gets the server's answers. */
  async show(client: ConsoleClient, path = ''): Promise<Page> {
    const { page } = this;
    const [name = '', value = ''] = client.cookie.split(/=(.*)/);
    await page.unrouteAll();
    await page.setViewportSize(wide);
    await page.context().clearCookies();
    if (value !== '') await page.context().addCookies([{ name, value, url: client.url }]);
    await page.goto(client.url + path);
    if (value !== '') await page.locator('#navigation').waitFor({ state: 'attached' });
    return page;
  }
}

export interface ConsoleSiteOptions extends LiveSiteOptions {
  /** The tab of the file's other sites. */
  readonly tab?: ConsoleTab;
}

export class ConsoleSite {
  readonly site: LiveSite;
  /** Listens; its tasks have not been started. */
  readonly worker: Program;
  readonly tab: ConsoleTab;
  /** Ends with a slash. */
  readonly url: string;
  readonly #clients = new Map<Role, ConsoleClient>();

  static async start(t: Test, { tab, ...options }: ConsoleSiteOptions = {}): Promise<ConsoleSite> {
    const site = new LiveSite(t, options);
    // The database is there before two processes open it.
    await site.store();
    const program = site.start('linod', 'console', '--listen', '127.0.0.1:0');
    const [worker, link, ownTab] = await Promise.all([
      site.startWorker(),
      program.printed(/^http.*#token=/),
      tab ?? ConsoleTab.open(t),
    ]);
    return new ConsoleSite(site, worker, link.replace(/#.*/, ''), ownTab);
  }

  private constructor(site: LiveSite, worker: Program, url: string, tab: ConsoleTab) {
    this.site = site;
    this.worker = worker;
    this.url = url;
    this.tab = tab;
  }

  /** Shows a path such as `rules` to a user of this role. */
  async as(role: Role, path = ''): Promise<Page> {
    const client = this.#clients.get(role) ?? (await this.signIn(role));
    this.#clients.set(role, client);
    return await this.tab.show(client, path);
  }

  /** A client with a session of its own. */
  async signIn(role: Role, url = this.url): Promise<ConsoleClient> {
    return await new ConsoleClient(url).enter(await this.link(role));
  }

  /** The token of a link for a user whose name is that of the role. */
  async link(role: Role): Promise<string> {
    return await createLink(await this.site.store(), { name: role, role });
  }
}

/** Shows the page in a theme, at a width. */
async function show(page: Page, theme: 'light' | 'dark', width: number): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
}

/** What axe-core finds wrong in a part of the page: each rule with the elements that break it. */
async function accessFaults(page: Page, part: string, onlyRules: readonly string[]): Promise<string[]> {
  // The content security policy forbids to add a script, but not what the debugger evaluates.
  if (!(await page.evaluate(`'axe' in globalThis`))) await page.evaluate(axe.source);
  const rules =
    onlyRules.length > 0 ? { runOnly: onlyRules } : { rules: { 'target-size': { enabled: true } } };
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run('${part}', ${JSON.stringify({ resultTypes: ['violations'], ...rules })})`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/**
 * What axe-core finds wrong in both themes, at 360 and 1280 pixels, and whether the page is wider than that. A theme
 * changes colours only, so the second theme of a width is checked for contrast. The page is wide again then.
 *
 * @param part a selector: what the page shows elsewhere is checked without a dialog in front of it
 */
export async function allAccessFaults(page: Page, part = 'html'): Promise<string[]> {
  const faults: string[] = [];
  for (const [theme, width, onlyRules] of [
    ['light', 360, []],
    ['dark', 360, ['color-contrast']],
    ['dark', 1280, []],
    ['light', 1280, ['color-contrast']],
  ] as const) {
    await show(page, theme, width);
    const found = await accessFaults(page, part, onlyRules);
    if (await page.evaluate(`document.documentElement.scrollWidth > ${width}`)) found.push('too wide');
    faults.push(...found.map((fault) => `${theme}, ${width} pixels: ${fault}`));
  }
  return faults;
}
