// When a site was switched off by `useLinod: false`, as far as somebody tried to start a worker meanwhile.
//
// A site that is off runs nothing that could write so. Whoever is refused notes since when; the next worker that may
// run notes the end, and the ledger can tell why what was due between did not run.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import type { Database } from '../store/schema.js';

/** A stretch of time in ms since 1970. */
export interface Period {
  readonly since: number;
  readonly until: number;
}

export class SwitchOffs {
  readonly #db: Kysely<Database>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Kysely<Database>, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** The site is off. Safe to repeat: it is since the first time. */
  async begin(): Promise<void> {
    if ((await this.since()) !== null) return;
    await this.#db.insertInto('switch_offs').values({ since: this.#clock.now() }).execute();
  }

  /** Since when it is off, as far as is known; null while it is on. */
  async since(): Promise<number | null> {
    const row = await this.#db
      .selectFrom('switch_offs')
      .select('since')
      .where('until', 'is', null)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    return row?.since ?? null;
  }

  /** The site is on. @returns the last time that it was off, if it ever was */
  async end(): Promise<Period | null> {
    const now = this.#clock.now();
    await this.#db.updateTable('switch_offs').set({ until: now }).where('until', 'is', null).execute();
    const row = await this.#db
      .selectFrom('switch_offs')
      .select(['since', 'until'])
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? null : { since: row.since, until: row.until ?? now };
  }
}
