// The migrations of the daemon's own tables, and those of other modules.

import { type MigrationSet, NewerDatabaseError, versionOf } from '../migrate.js';
import { firstRelease } from './0001-tables.js';
import { consoleMigration } from './0002-console.js';
import { operations } from './0003-operations.js';

export const ownMigrations: MigrationSet = {
  owner: 'linod',
  migrations: [firstRelease, consoleMigration, operations],
};

const knownVersion = Math.max(...ownMigrations.migrations.map(versionOf));

/**
 * Checks the newest migration of an open database, which a newer linod may upgrade at any time.
 *
 * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`)
 */
export function refuseNewer(database: string, version: number): void {
  if (version <= knownVersion) return;
  throw new NewerDatabaseError(database, ownMigrations.owner, [{ name: `number ${version}` }]);
}

const registered = new Map<string, MigrationSet>();

/**
 * Adds a module's own tables to the site's database. They are created when the store is opened next.
 * Registering the same owner again replaces its migrations.
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
