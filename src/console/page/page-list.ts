// All pages: where they are, what they are called, which key goes there, and the module that draws them.

import type { ComponentType } from 'preact';
import { session } from './session.js';

export interface PageEntry {
  /** A path such as `/rules/:id`. */
  readonly pattern: string;
  readonly name: string;
  /** Goes there after `g`. Pages without a key are not in the navigation. */
  readonly key: string;
  readonly load: () => Promise<PageComponent>;
}

/** `id` is that of the path; empty without one. */
export type PageComponent = ComponentType<{ readonly id: string }>;

function page(pattern: string, name: string, key: string, load: PageEntry['load']): PageEntry {
  return { pattern, name, key, load };
}

export const pages: readonly PageEntry[] = [
  page('/', 'Overview', 'o', async () => (await import('./pages/overview.js')).OverviewPage),
  page('/rules', 'Rules', 'r', async () => (await import('./pages/rules.js')).RulesPage),
  page('/rules/:id', 'Rule', '', async () => (await import('./pages/rule.js')).RulePage),
  page('/runs', 'Runs', 'u', async () => (await import('./pages/runs.js')).RunsPage),
  page('/runs/:id', 'Run', '', async () => (await import('./pages/run.js')).RunPage),
  page('/log', 'Log', 'l', async () => (await import('./pages/log.js')).LogPage),
  page('/channels', 'Channels', 'c', async () => (await import('./pages/channels.js')).ChannelsPage),
  page('/sockets', 'Sockets', 's', async () => (await import('./pages/sockets.js')).SocketsPage),
  page('/workers', 'Workers', 'w', async () => (await import('./pages/workers.js')).WorkersPage),
  page('/outbox', 'Mail and push', 'm', async () => (await import('./pages/outbox.js')).OutboxPage),
  page('/audit', 'Audit', 'a', async () => (await import('./pages/audit.js')).AuditPage),
];

/** The pages of the navigation. A site without the shipped procedures has no mails. */
export function shownPages(): readonly PageEntry[] {
  const hasOutbox = session.value?.hasOutbox ?? false;
  return pages.filter(({ key, pattern }) => key !== '' && (hasOutbox || pattern !== '/outbox'));
}
