// Takes the pictures of the console.

import { type Browser, chromium, type Page } from 'playwright-core';
import { say } from '../../src/commands/views/output.js';
import { createLink } from '../../src/console/access/secrets.js';
import { type ShownSite, startShownSite } from './site.js';

const shown = await startShownSite();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  await takePictures(browser, shown);
} finally {
  await browser.close();
  await shown.close();
}

async function takePictures(browser: Browser, { site, link }: ShownSite): Promise<void> {
  const url = link.replace(/#.*/, '');
  const rule = await site.ruleOf('import_prices');
  const page = await browser.newPage({ viewport: { width: 1280, height: 640 }, reducedMotion: 'reduce' });
  const token = await site.withStore((store) => createLink(store, { name: 'ann', role: 'admin' }));
  await page.goto(`${url}#token=${token}`);
  await page.locator('#navigation').waitFor();

  await take(page, 'overview', url, '1,200 invoices');
  await take(page, 'rules', `${url}rules`, 'sync_stock');
  await take(page, 'timeline', `${url}rules/${rule}`, 'run on time');
  await take(page, 'log', `${url}log`, 'The log is complete');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 360, height: 640 });
  await take(page, 'phone', url, '1,200 invoices');
}

/** A picture of an address, when it shows this text. */
async function take(page: Page, name: string, url: string, text: string): Promise<void> {
  await page.goto(url);
  await page.locator('main').getByText(text).filter({ visible: true }).first().waitFor();
  const path = `docs/images/console-${name}.png`;
  await page.screenshot({ path });
  say(path);
}
