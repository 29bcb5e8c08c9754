// The migrations of the daemon's own tables, and those that other modules bring for theirs.

import type { MigrationSet } from '../migrate.js';
import { firstRelease } from './0001-tables.js';

export const ownMigrations: MigrationSet = { owner: 'linod', migrations: [firstRelease] };

const registered = new Map<string, MigrationSet>();

/**
 * Brings tables of one's own into the site's database: they are created when the store is opened next.
 * Registering the same owner again replaces its set.
 *
 * @example
 * registerMigrations({ owner: 'shop', migrations: [{ name: '0001-orders', up: createOrders }] });
 */
export function registerMigrations(set: MigrationSet): void {
  registered.set(set.owner, set);
}

/** All sets in the order in which they run: linod's own first. */
export function migrationSets(): MigrationSet[] {
  return [ownMigrations, ...registered.values()];
}
