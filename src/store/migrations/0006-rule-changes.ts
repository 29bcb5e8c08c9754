// The history of the rules, and a number for each rule that grows whenever somebody changes it.
//
// Both are written by triggers, so that a change is noticed and kept whoever makes it: a command, a worker, or a
// person with psql or sqlite3. A change that linod makes is signed by it in the same transaction; see
// tasks/rule-signature.ts. What is not signed was made in the database, and a worker looks after it.

import type { Kysely, RawBuilder } from 'kysely';
import { dialectOf } from '../dialect.js';
import { sql } from '../kysely.js';
import type { AnyTables, Migration } from '../migrate.js';
import { noticeChannel } from './0004-notices.js';

/**
 * What makes a rule another one. Not here is what follows from these columns, and what every run writes: a statement
 * that sets only such columns does not meet the triggers at all.
 */
const watched = [
  'seqno',
  'name',
  'procedure',
  'suggestion',
  'created_at',
  'every',
  'every_unit',
  'weekdays',
  'positions',
  'cron',
  'start_datetime',
  'timezone',
  'until',
  'count',
  'missing_time',
  'repeated_time',
  'log_level',
  'on_failure',
  'timeout_seconds',
  'misfire',
  'misfire_window_seconds',
  'overlap',
  'grace_seconds',
  'retries',
  'retry_delay_seconds',
  'cancel_after',
  'on_lost',
  'run_in',
  'memory_mb',
  'priority',
  'job_group',
  'group_limit',
  'jitter_seconds',
  'excluded',
  'on_excluded',
  'run_after',
  'cancelled_at',
  'cancelled_by',
  'cancelled_reason',
  'removed_at',
] as const;

/** The notice that a rule was changed. */
export const ruleChangesNotice = 'rule_changes';

export const ruleChanges: Migration = {
  name: '0006-rule-changes',
  async up(db) {
    await db.schema
      .alterTable('job_rules')
      .addColumn('revision', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .createTable('rule_changes')
      .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('rule_id', 'integer', (c) => c.notNull())
      .addColumn('revision', 'integer', (c) => c.notNull())
      .addColumn('field', 'text', (c) => c.notNull())
      .addColumn('value_before', 'text')
      .addColumn('value_after', 'text')
      .addColumn('changed_at', 'integer', (c) => c.notNull())
      .addColumn('changed_by', 'text')
      .addColumn('how', 'text')
      .execute();
    await db.schema
      .createIndex('rule_changes_rule')
      .on('rule_changes')
      .columns(['rule_id', 'revision'])
      .execute();
    await db.schema
      .createIndex('rule_changes_unsigned')
      .on('rule_changes')
      .column('rule_id')
      .where(sql.ref('how'), 'is', null)
      .execute();
    await sql`
      insert into rule_changes (rule_id, revision, field, value_after, changed_at, how)
      select id, 0, 'created', name, created_at, 'sync' from job_rules order by id`.execute(db);
    await watchRules(db, watched);
  },
};

/** The statements that a trigger is made of. */
interface Parts {
  readonly columns: RawBuilder<unknown>;
  /** Whether one of the columns has another value than before. */
  readonly isChanged: RawBuilder<unknown>;
  /** Writes a row of the history for each column that has. */
  readonly record: RawBuilder<unknown>;
  readonly recordNew: RawBuilder<unknown>;
}

/** Makes the triggers for these columns. */
async function watchRules(db: Kysely<AnyTables>, columns: readonly string[]): Promise<void> {
  const isPostgres = dialectOf(db) === 'postgres';
  // SQLite has both, but the programs of older distributions only the first: and it is they that run the triggers.
  const differs = sql.raw(isPostgres ? 'is distinct from' : 'is not');
  const now = isPostgres
    ? sql`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`
    : sql`cast((julianday('now') - 2440587.5) * 86400000 as integer)`;
  const by = isPostgres ? sql`session_user` : sql`null`;
  const both = columns.map(
    (column) => sql`select ${sql.lit(column)} as field, cast(old.${sql.ref(column)} as text) as value_before,
      cast(new.${sql.ref(column)} as text) as value_after`,
  );
  const row = (name: string) => sql`(${sql.join(columns.map((column) => sql.ref(`${name}.${column}`)))})`;
  const parts: Parts = {
    columns: sql.join(columns.map((column) => sql.ref(column))),
    isChanged: sql`${row('old')} ${differs} ${row('new')}`,
    record: sql`
      insert into rule_changes (rule_id, revision, field, value_before, value_after, changed_at, changed_by)
      select new.id, old.revision + 1, field, value_before, value_after, ${now}, ${by}
      from (${sql.join(both, sql` union all `)}) as fields
      where value_before ${differs} value_after`,
    recordNew: sql`
      insert into rule_changes (rule_id, revision, field, value_after, changed_at, changed_by)
      values (new.id, new.revision, 'created', new.name, ${now}, ${by})`,
  };
  await (isPostgres ? watchOnPostgres(db, parts) : watchOnSqlite(db, parts));
}

async function watchOnSqlite(db: Kysely<AnyTables>, parts: Parts): Promise<void> {
  const { columns, isChanged, record, recordNew } = parts;
  await sql`
    create trigger job_rules_changed after update of ${columns} on job_rules when ${isChanged}
    begin
      ${record};
      update job_rules set revision = old.revision + 1,
        next_due_at = case when cancelled_at is null and removed_at is null then next_due_at end
      where id = new.id;
    end`.execute(db);
  await sql`create trigger job_rules_created after insert on job_rules begin ${recordNew}; end`.execute(db);
}

async function watchOnPostgres(db: Kysely<AnyTables>, parts: Parts): Promise<void> {
  const { columns, isChanged, record, recordNew } = parts;
  const notify = sql`perform pg_notify(${sql.lit(noticeChannel)}, ${sql.lit(ruleChangesNotice)})`;
  // With the path of now: whoever changes a rule by hand may have another one.
  await sql`
    create function linod_rule_changed() returns trigger language plpgsql set search_path from current as $$
    begin
      ${record};
      new.revision := old.revision + 1;
      if new.cancelled_at is not null or new.removed_at is not null then
        new.next_due_at := null;
      end if;
      ${notify};
      return new;
    end
    $$`.execute(db);
  await sql`
    create trigger linod_changed before update of ${columns} on job_rules for each row
    when (${isChanged}) execute function linod_rule_changed()`.execute(db);
  await sql`
    create function linod_rule_created() returns trigger language plpgsql set search_path from current as $$
    begin
      ${recordNew};
      ${notify};
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger linod_created after insert on job_rules for each row
    execute function linod_rule_created()`.execute(db);
}
