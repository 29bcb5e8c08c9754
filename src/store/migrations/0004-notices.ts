// On PostgreSQL the database itself tells workers of requests, of rules that are due earlier, and of start orders.
//
// Triggers, so that the notice is a part of whatever transaction writes: it is sent if that is committed, and also
// when a person writes with psql. SQLite has no such thing; there the channel layer wakes.

import { dialectOf } from '../dialect.js';
import { sql } from '../kysely.js';
import type { Migration } from '../migrate.js';

/** The name that is listened to; the payload is the table's name. */
export const noticeChannel = 'linod_news';

export const notices: Migration = {
  name: '0004-notices',
  async up(db) {
    if (dialectOf(db) !== 'postgres') return;
    await sql`
      create function linod_tell() returns trigger language plpgsql as $$
      begin
        perform pg_notify(${sql.lit(noticeChannel)}, tg_table_name);
        return null;
      end
      $$`.execute(db);
    for (const table of ['job_requests', 'start_orders']) {
      await sql`
        create trigger linod_tell after insert on ${sql.table(table)}
        for each statement execute function linod_tell()`.execute(db);
    }
    await sql`
      create trigger linod_tell_new after insert on job_rules
      for each statement execute function linod_tell()`.execute(db);
    // Not when a worker moves a rule on after it has started it: that is every run.
    await sql`
      create trigger linod_tell_earlier after update on job_rules for each row
      when (new.next_due_at < coalesce(old.next_due_at, ${sql.lit(Number.MAX_SAFE_INTEGER)}))
      execute function linod_tell()`.execute(db);
  },
};
