// All pages: where they are, what they are called, which key goes there, and the module that draws them.

import type { ComponentType } from 'preact';
import { session } from './session.js';

interface PageEntry {
  /** The page of one thing has an id behind it. */
  readonly path: string;
  readonly name: string;
  /** Goes there after `g`. Pages without a key are not in the navigation. */
  readonly key: string;
  readonly load: () => Promise<PageComponent>;
}

/** `id` is that of the address; empty without one. */
export type PageComponent = ComponentType<{ readonly id: string }>;

function page(path: string, name: string, key: string, load: PageEntry['load']): PageEntry {
  return { path, name, key, load };
}

const pages: readonly PageEntry[] = [
  page('/', 'Overview', 'o', async () => (await import('./pages/overview.js')).OverviewPage),
  page('/rules', 'Rules', 'r', async () => (await import('./pages/rules.js')).RulesPage),
  page('/rules/', 'Rule', '', async () => (await import('./pages/rule/rule.js')).RulePage),
  page('/runs', 'Runs', 'u', async () => (await import('./pages/runs.js')).RunsPage),
  page('/runs/', 'Run', '', async () => (await import('./pages/run.js')).RunPage),
  page('/log', 'Log', 'l', async () => (await import('./pages/log.js')).LogPage),
  page('/channels', 'Channels', 'c', async () => (await import('./pages/channels.js')).ChannelsPage),
  page('/sockets', 'Sockets', 's', async () => (await import('./pages/sockets.js')).SocketsPage),
  page('/workers', 'Workers', 'w', async () => (await import('./pages/workers.js')).WorkersPage),
  page('/outbox', 'Mail and push', 'm', async () => (await import('./pages/outbox.js')).OutboxPage),
  page('/audit', 'Audit', 'a', async () => (await import('./pages/audit.js')).AuditPage),
];

const notFound = page('', '', '', async () => (await import('./pages/not-found.js')).NotFoundPage);

/** The page of an address such as `/rules/3`. */
export function findPage(address: string): { readonly entry: PageEntry; readonly id: string } {
  const [, list, id = ''] = /^(\/\w*)(?:\/(\d+)?)?$/.exec(address) ?? [];
  const path = id === '' ? list : `${list}/`;
  return { entry: pages.find((page) => page.path === path) ?? notFound, id };
}

/** The pages of the navigation. A site without the shipped procedures has no mails. */
export function shownPages(): readonly PageEntry[] {
  const hasOutbox = session.value?.hasOutbox ?? false;
  return pages.filter(({ key, path }) => key !== '' && (hasOutbox || path !== '/outbox'));
}
