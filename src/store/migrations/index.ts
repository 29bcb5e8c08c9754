// The migrations of the daemon's own tables, and those that other modules bring for theirs.

import { type MigrationSet, NewerDatabaseError, versionOf } from '../migrate.js';
import { firstRelease } from './0001-tables.js';

export const ownMigrations: MigrationSet = { owner: 'linod', migrations: [firstRelease] };

const knownVersion = Math.max(...ownMigrations.migrations.map(versionOf));

/**
 * Called with what an open database says its newest migration is: a newer linod may upgrade it at any time.
 *
 * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`)
 */
export function refuseNewer(database: string, version: number): void {
  if (version <= knownVersion) return;
  throw new NewerDatabaseError(database, ownMigrations.owner, [{ name: `number ${version}` }]);
}

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
