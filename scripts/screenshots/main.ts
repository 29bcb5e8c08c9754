// Takes the pictures of the console.

import { type Browser, chromium, type Page } from 'playwright-core';
import { say } from '../../src/commands/views/output.js';
import { type ShownSite, startShownSite } from './site.js';

const wide = { width: 1280, height: 800 };
const phone = { width: 360, height: 740 };

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
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(link);
  await page.locator('#navigation').waitFor();

  await take(page, 'overview', url, 'Runs that run');
  await take(page, 'rules', `${url}rules`, 'sync_stock');
  await take(page, 'timeline', `${url}rules/${rule}`, 'import_prices');
  await take(page, 'log', `${url}log`, 'import_prices');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize(phone);
  await take(page, 'phone', url, 'Runs that run');
}

/** A picture of an address, when it shows this text. */
async function take(page: Page, name: string, url: string, text: string): Promise<void> {
  await page.goto(url);
  await page.locator('main').getByText(text).first().waitFor();
  await page.waitForLoadState('networkidle').catch(() => undefined);
  const path = `docs/images/console-${name}.png`;
  await page.screenshot({ path });
  say(path);
}
