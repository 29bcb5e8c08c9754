// All pages: where they are, what they are called, which key goes there, and the module that draws them.

import type { ComponentType } from 'preact';
import { session } from './session.js';

export interface PageEntry {
  /** A path such as `/rules/:id`. */
  readonly pattern: string;
  readonly name: string;
  /** Goes there after `g`. Pages without a key are not in the navigation. */
  readonly key?: string;
  readonly isShown?: () => boolean;
  readonly load: () => Promise<PageComponent>;
}

/** `id` is that of the path; empty without one. */
export type PageComponent = ComponentType<{ readonly id: string }>;

export const pages: readonly PageEntry[] = [
  {
    pattern: '/',
    name: 'Overview',
    key: 'o',
    load: async () => (await import('./pages/overview.js')).OverviewPage,
  },
  {
    pattern: '/rules',
    name: 'Rules',
    key: 'r',
    load: async () => (await import('./pages/rules.js')).RulesPage,
  },
  { pattern: '/rules/:id', name: 'Rule', load: async () => (await import('./pages/rule.js')).RulePage },
  { pattern: '/runs', name: 'Runs', key: 'u', load: async () => (await import('./pages/runs.js')).RunsPage },
  { pattern: '/runs/:id', name: 'Run', load: async () => (await import('./pages/run.js')).RunPage },
  { pattern: '/log', name: 'Log', key: 'l', load: async () => (await import('./pages/log.js')).LogPage },
  {
    pattern: '/channels',
    name: 'Channels',
    key: 'c',
    load: async () => (await import('./pages/channels.js')).ChannelsPage,
  },
  {
    pattern: '/sockets',
    name: 'Sockets',
    key: 's',
    load: async () => (await import('./pages/sockets.js')).SocketsPage,
  },
  {
    pattern: '/workers',
    name: 'Workers',
    key: 'w',
    load: async () => (await import('./pages/workers.js')).WorkersPage,
  },
  {
    pattern: '/outbox',
    name: 'Mail and push',
    key: 'm',
    isShown: () => session.value?.hasOutbox ?? false,
    load: async () => (await import('./pages/outbox.js')).OutboxPage,
  },
  {
    pattern: '/audit',
    name: 'Audit',
    key: 'a',
    load: async () => (await import('./pages/audit.js')).AuditPage,
  },
];

/** The pages of the navigation. */
export function shownPages(): ReadonlyArray<PageEntry & { readonly key: string }> {
  return pages.flatMap((page) =>
    page.key === undefined || page.isShown?.() === false ? [] : [{ ...page, key: page.key }],
  );
}
