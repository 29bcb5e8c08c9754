// What is still to be computed.

import type { BaseRequest } from '../../src/index.js';
import { siteDatabase } from '../store/open.js';
import { summaries } from './summaries.js';

/** The marked keys of a summary. */
export interface WaitingKeys {
  readonly summary: string;
  readonly keys: number;
  /** How many of them could not be computed. */
  readonly failed: number;
  /** What one of these failed with last. */
  readonly lastError: string | null;
}

/** Whether all keys of a summary are wanted, and could not be read. @param names only of these summaries; null for all */
export async function areKeysUnread(ar: BaseRequest, names: readonly string[] | null): Promise<boolean> {
  const db = await siteDatabase(ar);
  const rows = await db.selectFrom('whole_summaries').select('summary').execute();
  return rows.some(({ summary }) => summaries.has(summary) && (names?.includes(summary) ?? true));
}

/** @param names only of these summaries; null for all */
export async function waitingKeys(ar: BaseRequest, names: readonly string[] | null): Promise<WaitingKeys[]> {
  const db = await siteDatabase(ar);
  return await db
    .selectFrom('dirty_summaries')
    .select((eb) => [
      'summary',
      eb.fn.countAll<number>().as('keys'),
      eb.fn.count<number>('last_error').as('failed'),
      eb.fn.max('last_error').as('lastError'),
    ])
    .$if(names !== null, (query) => query.where('summary', 'in', names ?? []))
    .groupBy('summary')
    .orderBy('summary')
    .execute();
}
