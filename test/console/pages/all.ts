// Every page for every role: what axe-core finds, and which changes are offered. The other tests have left their traces.

import type { Page } from 'playwright-core';
import t from 'tap';
import { allAccessFaults } from '../../support/console.js';
import { begin, period, plain, tick } from './rules.js';
import { site } from './site.js';

interface Shown {
  readonly path: string;
  /** A text in its main part that is there when it has loaded. */
  readonly text: RegExp;
  /** Names of the buttons that change something: of operators, and of admins alone. */
  readonly changes: readonly RegExp[];
  readonly forAdmins?: readonly RegExp[];
}

const onRule = [/^Run/, /^Pause/, /^Stop/];
const rule = `rules/${plain}?tab`;

const shown: readonly Shown[] = [
  { path: '', text: /Runs today/, changes: [] },
  { path: 'rules?text=plain', text: /plain/, changes: [/^Run plain/, /^Pause plain/] },
  { path: `rules/${tick}?entry=d1&${period(begin, begin + 60_000)}`, text: /run on time/, changes: onRule },
  { path: `${rule}=fields`, text: /^overlap/, changes: onRule },
  { path: `${rule}=history`, text: /overlap: allow/, changes: onRule, forAdmins: [/^Undo/] },
  { path: 'runs', text: /plain/, changes: [] },
  { path: 'runs/1', text: /tick/, changes: [/^Run again/] },
  { path: 'channels', text: /linod_test/, changes: [] },
  { path: 'channels?tab=groups', text: /garden/, changes: [] },
  { path: 'sockets', text: /No such WebSocket/, changes: [] },
  { path: 'workers', text: /alive/, changes: [/^Pause/], forAdmins: [/^Drain/] },
  { path: 'outbox', text: /bob@example.org/, changes: [] },
  { path: 'audit', text: /sign-in/, changes: [], forAdmins: [/^Undo/] },
];

/** Goes there as a link does, without loading everything again. */
async function go(page: Page, { path, text }: Shown): Promise<void> {
  await page.evaluate(`history.pushState(null, '', ${JSON.stringify(new URL(path, site.url).href)});
    dispatchEvent(new PopStateEvent('popstate'))`);
  await page.locator('main').getByText(text).filter({ visible: true }).first().waitFor();
}

const buttons = (page: Page, name: RegExp) => page.locator('main').getByRole('button', { name });

t.test('axe-core finds nothing on any page, in both themes, on narrow and wide screens', async (t) => {
  const page = await site.as('admin');
  for (const each of shown) {
    await go(page, each);
    for (const name of [...each.changes, ...(each.forAdmins ?? [])])
      await buttons(page, name).first().waitFor();
    t.same(await allAccessFaults(page), [], each.path);
  }
  await page.goto(`${site.url}rules?text=plain`);
  await page.getByRole('checkbox', { name: 'Select plain' }).check();
  t.same(await allAccessFaults(page), [], 'with a selection');
  await page.getByRole('button', { name: 'Run plain' }).click();
  await page.getByRole('dialog').waitFor();
  t.same(await allAccessFaults(page, 'dialog'), [], 'what is asked before a run');
});

t.test('an operator is offered what operators may change on every page, and a viewer nothing', async (t) => {
  for (const role of ['operator', 'viewer'] as const) {
    const page = await site.as(role);
    for (const each of shown) {
      await go(page, each);
      if (role === 'operator') for (const name of each.changes) await buttons(page, name).first().waitFor();
      const refused = [...(role === 'viewer' ? each.changes : []), ...(each.forAdmins ?? [])];
      for (const name of refused)
        t.equal(await buttons(page, name).count(), 0, `${role} on ${each.path}: ${name}`);
      t.equal(await page.locator('main .field input').count(), 0, `${role} on ${each.path} edits nothing`);
      if (role === 'viewer') t.equal(await page.locator('main [type=checkbox]').count(), 0, each.path);
    }
  }
});

t.test('no page broke, and none needed what the content security policy forbids', async (t) => {
  t.same(site.tab.faults, []);
});
