// The start of a command that works on the tables of an application: its files are loaded before the database is opened.

import type { Site } from '../site.js';
import type { Store } from '../store/store.js';
import { requireSite, type SiteFlags, withStore } from './main.js';

export interface SiteStore {
  readonly site: Site;
  readonly store: Store;
}

/**
 * Finds the site, loads its procedures, so that what they register is there and their tables are made, and opens its
 * database, which is closed at the end.
 *
 * @throws whatever `requireSite`, `Site.loadProcedures` and `Site.openStore` throw
 */
export async function withSiteStore<T>(flags: SiteFlags, use: (found: SiteStore) => Promise<T>): Promise<T> {
  const site = await requireSite(flags);
  await site.loadProcedures();
  return await withStore(site, async (store) => await use({ site, store }));
}
