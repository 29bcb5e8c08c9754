// The shell of the console's page in a real browser, on a console that is a process of its own.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import t from 'tap';
import { allAccessFaults, ConsoleSite } from '../support/console.js';
import { eventually } from '../support/programs.js';

/** Of all that is loaded before the overview can be used. */
const firstLoadBytes = 40_000;

const built = join(import.meta.dirname, '../../dist/console');

const site = await ConsoleSite.start(t);

async function heading(page: Page, text: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
}

t.test('the first load is at most 40 kB', async (t) => {
  const signedIn = await site.signIn('viewer');
  await heading(signedIn, 'Overview');
  const loaded = await signedIn.evaluate<string[]>(
    `performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname.slice(1))`,
  );
  const files = new Set(['index.html', ...loaded.filter((name) => /\.(js|css)$/.test(name))]);
  const bytes = [...files].reduce((sum, name) => sum + gzipSync(readFileSync(join(built, name))).length, 0);
  t.ok(files.size >= 4, `${[...files]}`);
  t.ok(bytes <= firstLoadBytes, `${bytes} bytes`);
});

t.test('a wrong password is refused, and a link signs in at the address that was opened', async (t) => {
  const page = await site.open('workers?x=1');
  await page.getByLabel('User').fill('nobody');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await eventually('the page says why', async () => (await page.getByRole('alert').textContent()) !== '');
  t.same(await allAccessFaults(page), []);

  const signedIn = await site.signIn('admin', 'workers?x=1');
  await heading(signedIn, 'Workers');
  t.equal(signedIn.url(), `${site.url}workers?x=1`, 'the token is no longer in the address');
});

t.test('signing out shows the sign-in page', async (t) => {
  const page = await site.signIn('operator', 'audit');
  await page.getByRole('button', { name: 'operator' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Password').waitFor();
  await page.reload();
  await page.getByLabel('Password').waitFor();
  t.equal(page.url(), `${site.url}audit`);
});

t.test('links and the back button change the page without loading it again', async (t) => {
  const page = await site.signIn('viewer');
  await heading(page, 'Overview');
  await page.evaluate('globalThis.mark = 1');
  await page.getByRole('link', { name: 'Workers' }).click();
  await heading(page, 'Workers');
  t.equal(await page.title(), 'Workers · test');
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Workers');
  t.equal(await page.locator('nav [aria-current=page]').textContent(), 'Workers');
  await page.goBack();
  await heading(page, 'Overview');
  t.equal(await page.evaluate('globalThis.mark'), 1, 'it is the same document');
  await page.goto(`${site.url}no/such/page`);
  await heading(page, 'Nothing is here');
});

t.test('the keyboard goes to pages, moves in lists and shows its keys', async (t) => {
  const page = await site.signIn('admin');
  await heading(page, 'Overview');
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await heading(page, 'Audit');
  await page.getByRole('row').nth(1).waitFor();
  const focused = () => page.evaluate(`document.activeElement.getAttribute('data-row')`);
  await page.keyboard.press('j');
  t.equal(await focused(), '0');
  await page.keyboard.press('j');
  t.equal(await focused(), '1');
  await page.keyboard.press('k');
  t.equal(await focused(), '0');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  t.same(await allAccessFaults(page), []);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

t.test('the theme stays chosen', async (t) => {
  const page = await site.signIn('viewer');
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await background();
  await page.getByRole('button', { name: 'viewer' }).click();
  await page.getByLabel('Theme').selectOption('dark');
  const dark = await background();
  t.not(dark, light);
  await page.reload();
  await page.locator('#navigation').waitFor();
  t.equal(await background(), dark);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.getByRole('button', { name: 'viewer' }).click();
  await page.getByLabel('Theme').selectOption('system');
  t.equal(await background(), dark, 'the system decides');
});

t.test('on a narrow screen the menu opens and closes', async () => {
  const page = await site.signIn('viewer', '', { viewport: { width: 360, height: 700 } });
  await heading(page, 'Overview');
  const link = page.getByRole('link', { name: 'Workers' });
  await link.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Menu' }).click();
  await link.click();
  await heading(page, 'Workers');
  await link.waitFor({ state: 'hidden' });
});

t.test('without network the data stays, and the page says since when it is stale', async () => {
  const page = await site.signIn('viewer', 'workers');
  const connection = page.locator('.connection');
  await page.getByRole('cell', { name: 'alive' }).waitFor();
  await connection.getByText('live').waitFor();
  await page.context().setOffline(true);
  await connection.getByText(/stale since \d\d:\d\d:\d\d/).waitFor();
  await page.getByRole('cell', { name: 'alive' }).waitFor();
  await page.context().setOffline(false);
  await connection.getByText('live').waitFor();
});

t.test('axe-core finds nothing on any page, in both themes, on narrow and wide screens', async (t) => {
  const page = await site.signIn('admin');
  for (const name of ['Overview', 'Workers', 'Audit']) {
    await page.goto(site.url + (name === 'Overview' ? '' : name.toLowerCase()));
    await heading(page, name);
    t.same(await allAccessFaults(page), [], name);
  }
});

t.test('a viewer has no buttons that change something', async (t) => {
  const page = await site.signIn('viewer', 'workers');
  await page.getByRole('cell', { name: 'alive' }).waitFor();
  t.equal(await page.getByRole('button', { name: /Pause/ }).count(), 0);
});

t.test('no page broke, and none needed what the content security policy forbids', async (t) => {
  t.same(site.faults, []);
});
