// The migrations of the daemon's own tables, and those that other modules bring for theirs.

import type { MigrationSet } from '../migrate.js';
import { tables } from './0001-tables.js';
import { health } from './0002-health.js';
import { recurrences } from './0003-recurrences.js';
import { notices } from './0004-notices.js';
import { policies } from './0005-policies.js';
import { ruleChanges } from './0006-rule-changes.js';
import { decisionSummaries } from './0007-decision-summaries.js';
import { dueHost } from './0008-due-host.js';

export const ownMigrations: MigrationSet = {
  owner: 'linod',
  migrations: [tables, health, recurrences, notices, policies, ruleChanges, decisionSummaries, dueHost],
};

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
