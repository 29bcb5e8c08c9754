// A site with a worker and its console as processes, and browsers that are signed in to it.

import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import { createLink } from '../../src/console/access/secrets.js';
import type { Role } from '../../src/console/api.js';
import { startBrowser } from './browser.js';
import { LiveSite, type LiveSiteOptions } from './live-site.js';
import type { Program } from './programs.js';

const wide = { width: 1280, height: 800 };

export interface ConsoleSiteOptions extends LiveSiteOptions {
  /** Flags of `linod console`. It listens on a free port. */
  readonly flags?: readonly string[];
}

export class ConsoleSite {
  readonly site: LiveSite;
  /** Listens; its tasks have not been started. */
  readonly worker: Program;
  readonly console: Program;
  /** Ends with a slash. */
  readonly url: string;
  /** What went wrong in the pages: errors, and what the content security policy refused. */
  readonly faults: string[] = [];
  readonly #browser: Browser;
  readonly #tabs = new Map<Role, Page>();

  static async start(t: Test, { flags = [], ...options }: ConsoleSiteOptions = {}): Promise<ConsoleSite> {
    const site = new LiveSite(t, options);
    // The database is there before two processes open it.
    await site.store();
    const program = site.start('linod', 'console', '--listen', '127.0.0.1:0', ...flags);
    const [browser, worker, link] = await Promise.all([
      startBrowser(t),
      site.startWorker(),
      program.printed(/^http.*#token=/),
    ]);
    return new ConsoleSite(browser, site, worker, program, link.replace(/#.*/, ''));
  }

  private constructor(browser: Browser, site: LiveSite, worker: Program, program: Program, url: string) {
    this.#browser = browser;
    this.site = site;
    this.worker = worker;
    this.console = program;
    this.url = url;
  }

  /** A tab of a new browser profile that is signed in as `viewer`, `operator` or `admin`, at a path such as `rules`. */
  async signIn(role: Role, path = '', options: BrowserContextOptions = {}): Promise<Page> {
    const token = await createLink(await this.site.store(), { name: role, role });
    const page = await this.open(`${path}#token=${token}`, options);
    await page.locator('#navigation').waitFor({ state: 'attached' });
    return page;
  }

  /** The same tab for each test that asks for this role. It is wide, and gets the server's answers. */
  async tab(role: Role, path = ''): Promise<Page> {
    const known = this.#tabs.get(role);
    const page = known ?? (await this.signIn(role, path));
    this.#tabs.set(role, page);
    if (known === undefined) return page;
    await page.unrouteAll();
    await page.setViewportSize(wide);
    await page.goto(this.url + path);
    await page.locator('#navigation').waitFor({ state: 'attached' });
    return page;
  }

  /** A tab of a new browser profile. */
  async open(path = '', options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: wide, ...options });
    // No shorter than the patience of `eventually`.
    context.setDefaultTimeout(120_000);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.faults.push(String(error)));
    page.on('console', (message) => {
      // Chromium also logs each answer that is no success, which can be what a test wants.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.faults.push(message.text());
    });
    await page.goto(this.url + path);
    return page;
  }
}

/** Shows the page in a theme, at a width. */
export async function show(page: Page, theme: 'light' | 'dark', width: number): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
}

/** What axe-core finds wrong in a part of the page: each rule with the elements that break it. */
async function accessFaults(page: Page, part: string): Promise<string[]> {
  // The content security policy forbids to add a script, but not what the debugger evaluates.
  if (!(await page.evaluate(`'axe' in globalThis`))) await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run('${part}', { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/**
 * What axe-core finds wrong in both themes, at 360 and 1280 pixels. A theme has other colours and a width another layout,
 * so two of the four combinations show all. The page is wide again then.
 *
 * @param part a selector: what the page shows elsewhere is checked without a dialog in front of it
 */
export async function allAccessFaults(page: Page, part = 'html'): Promise<string[]> {
  const faults: string[] = [];
  for (const [theme, width] of [
    ['light', 360],
    ['dark', 1280],
  ] as const) {
    await show(page, theme, width);
    const found = await accessFaults(page, part);
    faults.push(...found.map((fault) => `${theme}, ${width} pixels: ${fault}`));
  }
  return faults;
}
