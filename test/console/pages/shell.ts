// What all pages share: signing in, moving, keys, themes, long lists, the stream.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page, Request } from 'playwright-core';
import t from 'tap';
import { allAccessFaults } from '../../support/console.js';
import { ConsoleClient } from '../../support/console-server.js';
import { eventually } from '../../support/programs.js';
import { site } from './site.js';

/** Of all that is loaded before the overview can be used. */
const firstLoadBytes = 40_000;

const built = join(import.meta.dirname, '../../../dist/console');

async function heading(page: Page, text: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
}

t.test('the first load is at most 40 kB', async (t) => {
  const page = await site.as('viewer');
  await heading(page, 'Overview');
  const loaded = await page.evaluate<string[]>(
    `performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))`,
  );
  const files = new Set(['index.html', ...loaded.filter((name) => /\.(js|css)$/.test(name))]);
  const bytes = [...files].reduce((sum, name) => sum + gzipSync(readFileSync(join(built, name))).length, 0);
  t.ok(files.size >= 4, `${[...files]}`);
  t.ok(bytes <= firstLoadBytes, `${bytes} bytes`);
});

t.test('a wrong password is refused, and a link signs in at the address that was opened', async (t) => {
  const page = await site.tab.show(new ConsoleClient(site.url), 'audit');
  await page.getByLabel('User').fill('nobody');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText(/./).waitFor();
  t.same(await allAccessFaults(page), []);

  await page.goto(`${site.url}workers?x=1#token=${await site.link('operator')}`);
  await heading(page, 'Workers');
  t.equal(page.url(), `${site.url}workers?x=1`, 'the token is no longer in the address');
  await page.getByRole('button', { name: 'operator' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Password').waitFor();
  await page.reload();
  await page.getByLabel('Password').waitFor();
  t.equal(page.url(), `${site.url}workers?x=1`);
});

t.test('links and the back button change the page without loading it again', async (t) => {
  const page = await site.as('viewer');
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
  const page = await site.as('admin');
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
  t.same(await allAccessFaults(page, 'dialog'), []);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

t.test('the theme stays chosen', async (t) => {
  const page = await site.as('viewer');
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
  await page.emulateMedia({ colorScheme: null });
});

t.test('on a narrow screen the menu opens and closes', async () => {
  const page = await site.as('viewer');
  await page.setViewportSize({ width: 360, height: 700 });
  await heading(page, 'Overview');
  const link = page.getByRole('link', { name: 'Workers' });
  await link.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Menu' }).click();
  await link.click();
  await heading(page, 'Workers');
  await link.waitFor({ state: 'hidden' });
});

t.test('without network the data stays, and the page says since when it is stale', async () => {
  const page = await site.as('viewer', 'workers');
  const connection = page.locator('.connection');
  await page.getByRole('cell', { name: 'alive' }).waitFor();
  await connection.getByText('live').waitFor();
  await page.context().setOffline(true);
  await connection.getByText(/stale since \d\d:\d\d:\d\d/).waitFor();
  await page.getByRole('cell', { name: 'alive' }).waitFor();
  // This page has not been loaded before. It comes by itself.
  await page.getByRole('link', { name: 'Channels' }).click();
  await heading(page, 'The page cannot be loaded');
  await connection.getByText(/stale since/).waitFor();
  await page.context().setOffline(false);
  await heading(page, 'Channels');
  await connection.getByText('live').waitFor();
});

/** An audit of so many rows, in place of the server's. */
async function fakeAudit(page: Page, count: number): Promise<void> {
  await page.route('**/api/audit?*', async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const first = Number(query.get('after') ?? 0);
    // Larger parts than the page asks for, which take less time.
    const end = Math.min(count, first + 10 * Number(query.get('limit')));
    const rows = Array.from({ length: end - first }, (_, index) => ({
      id: count - first - index,
      at: '2026-03-29T00:30:00.000Z',
      user: 'anna',
      role: 'operator',
      address: '127.0.0.1',
      action: 'rule.set',
      target: `rule ${first + index}`,
      detail: '',
      undo: null,
    }));
    await route.fulfill({ json: { rows, next: end === count ? null : String(end), total: count } });
  });
}

t.test(
  'a list of ten thousand rows renders those on the screen, and loads the others as it scrolls',
  async (t) => {
    const page = await site.as('viewer');
    await fakeAudit(page, 10_000);
    await page.goto(`${site.url}audit`);
    const table = page.getByRole('table');
    await table.waitFor();
    t.equal(await table.getAttribute('aria-rowcount'), '10001');
    await eventually('all rows are loaded', async () => {
      await page.evaluate('scrollTo(0, document.body.scrollHeight)');
      return (await page.getByText('10,000 rows', { exact: true }).count()) === 1;
    });
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    const last = table.getByRole('link', { name: 'rule 9999', exact: true });
    await last.waitFor();
    const rendered = table.locator('[data-row]');
    t.ok((await rendered.count()) < 200, 'few rows are rendered');
    t.equal(await rendered.last().getAttribute('aria-rowindex'), '10001');
    const indices = await page.evaluate<number[]>(
      `[...document.querySelectorAll('[data-row]')].map((row) => Number(row.dataset.row))`,
    );
    t.same(
      indices,
      indices.map((_, offset) => (indices[0] ?? 0) + offset),
    );

    await page.evaluate('scrollTo(0, 5000 * 33)');
    await table.getByRole('link', { name: 'rule 5000', exact: true }).waitFor();
    for (let i = 0; i < 60; i++) await page.keyboard.press('j');
    const focused = await page.evaluate<string>('document.activeElement.dataset.row');
    t.match(focused, /^50[56]\d$/, 'the keyboard moves beyond what was rendered');
    await page.keyboard.press('Enter');
    await heading(page, `Rule ${focused}`);
    t.equal(page.url(), `${site.url}rules/${focused}`);
  },
);

t.test('a list shows what happens while it is open', async () => {
  const page = await site.as('admin', 'audit');
  const signIns = page.getByRole('cell', { name: 'viewer' });
  await page.getByRole('table').waitFor();
  const before = await signIns.count();
  await site.signIn('viewer');
  await eventually('there is one more row', async () => (await signIns.count()) > before);
});

t.test('a hidden tab has no stream, and gets one when it is shown', async () => {
  const page = await site.as('viewer');
  const isStream = (request: { url(): string }) => request.url().includes('api/stream');
  const hide = (isHidden: boolean) =>
    page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
  await heading(page, 'Overview');
  await page.locator('.connection').getByText('live').waitFor();
  const closed = page.waitForEvent('requestfailed', isStream);
  await hide(true);
  await closed;
  const opened = page.waitForEvent('request', isStream);
  await hide(false);
  await opened;
});

t.test('the overview shows problems first, and times in the zone of the site', async (t) => {
  const page = await site.as('viewer');
  const last = {
    id: 7,
    rule: 3,
    ruleName: 'mails',
    procedure: 'send_mails',
    dueAt: null,
    startedAt: '2026-03-29T00:30:00.000Z',
    endedAt: null,
    status: 'failed',
    attempt: 1,
    headline: '<script>alert(1)</script>',
    progress: { done: 1, total: 3, text: 'three' },
  };
  await page.route('**/api/overview', (route) =>
    route.fulfill({
      json: {
        problems: [{ code: 'no-workers', text: 'No worker lives.', link: '/workers' }],
        today: { running: 1, done: 1234, failed: 1, cancelled: 0, timeout: 0, lost: 0 },
        running: [{ ...last, status: 'running' }],
        failures: [{ times: 2, last }],
        next: [{ rule: 3, name: 'mails', at: '2026-03-29T01:30:00.000Z' }],
        workers: 0,
      },
    }),
  );
  await page.goto(site.url);
  await page.getByRole('link', { name: 'No worker lives.' }).waitFor();
  await page.getByText('1,234').waitFor();
  await page.getByText('<script>alert(1)</script>').waitFor();
  const time = page.getByRole('table', { name: 'What is due next' }).locator('time').first();
  t.equal(await time.textContent(), '2026-03-29 04:30:00', 'after the change of the clock');
  t.match(await time.getAttribute('title'), /04:30:00 Europe\/Tallinn\n.* \(this browser\)/);
});

t.test(
  'a change is asked for with the token, a failure is told, and a question can be refused',
  async (t) => {
    const page = await site.as('admin', 'workers');
    const requests: Request[] = [];
    await page.route('**/api/workers/*/*', async (route) => {
      requests.push(route.request());
      const error = { code: 'LINOD_ERR_CONFLICT', message: 'the worker has just ended' };
      await route.fulfill({ status: 409, json: { error } });
    });
    await page.getByRole('button', { name: /^Pause/ }).click();
    await page.getByRole('status').getByText('The worker has just ended.').waitFor();
    t.match(requests[0]?.headers()['x-console-token'], /./);
    t.same(await allAccessFaults(page, '.toasts'), []);

    const drain = page.getByRole('button', { name: /^Drain/ });
    await drain.click();
    const question = page.getByRole('dialog', { name: 'Drain a worker' });
    await question.waitFor();
    t.same(await allAccessFaults(page, 'dialog'), []);
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    t.match(await page.evaluate('document.activeElement.ariaLabel'), /^Drain/, 'the focus is back');
    t.equal(requests.length, 1);
    await drain.click();
    await question.getByRole('button', { name: 'Drain' }).click();
    await eventually('it is asked for', () => requests.length === 2);
    t.match(requests[1]?.url(), /\/drain$/);
  },
);
