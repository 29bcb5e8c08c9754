// Triggers that record every change of a rule: by a command, a worker, or a person with psql or sqlite3.
//
// They write the history of the rules, and increment the revision of a rule with each change. linod signs its
// own changes in the same transaction; see rules/changes/sign-changes.ts. Unsigned changes were made in the database,
// and a worker processes them. On PostgreSQL, triggers also notify the workers of requests, of rules that are
// due earlier, and of start orders. SQLite cannot notify; there the channel layer wakes the workers.

import { type Kysely, sql } from 'kysely';
import { dialectOf } from '../dialect.js';
import type { AnyTables } from '../migrate.js';

/** The PostgreSQL channel to LISTEN to; the payload is the name of a table. */
export const notifyChannel = 'linod_news';

/** @param fields the columns of `job_rules` whose changes are recorded */
export async function createTriggers(db: Kysely<AnyTables>, fields: readonly string[]): Promise<void> {
  const statements = dialectOf(db) === 'postgres' ? onPostgres(fields) : onSqlite(fields);
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** Records the changes of other columns from now on. @param fields all that are recorded */
export async function recordChangesOf(db: Kysely<AnyTables>, fields: readonly string[]): Promise<void> {
  const drop =
    dialectOf(db) === 'postgres'
      ? ['drop trigger linod_changed on job_rules', 'drop function linod_rule_changed()']
      : ['drop trigger job_rules_changed'];
  const create = dialectOf(db) === 'postgres' ? changesOnPostgres(fields) : changesOnSqlite(fields);
  for (const statement of [...drop, ...create]) await sql.raw(statement).execute(db);
}

const sqliteSyntax: TriggerSyntax = {
  differs: 'is not',
  now: "cast((julianday('now') - 2440587.5) * 86400000 as integer)",
  by: 'null',
};

function onSqlite(fields: readonly string[]): string[] {
  const { creation } = recordChanges(fields, sqliteSyntax);
  return [
    ...changesOnSqlite(fields),
    `create trigger job_rules_created after insert on job_rules begin ${creation}; end`,
  ];
}

function changesOnSqlite(fields: readonly string[]): string[] {
  const record = recordChanges(fields, sqliteSyntax);
  return [
    `create trigger job_rules_changed after update of ${fields} on job_rules when ${record.isChanged}
    begin
      ${record.fields};
      update job_rules set revision = old.revision + 1,
        next_due_at = case when cancelled_at is null and removed_at is null then next_due_at end
      where id = new.id;
    end`,
  ];
}

const postgresSyntax: TriggerSyntax = {
  differs: 'is distinct from',
  now: 'cast(extract(epoch from clock_timestamp()) * 1000 as bigint)',
  by: 'session_user',
};
// Fixes today's search path: a person who changes a rule by hand may have another one.
const begin = 'returns trigger language plpgsql set search_path from current as $$ begin';
const notify = (table: string) => `perform pg_notify('${notifyChannel}', ${table});`;

function changesOnPostgres(fields: readonly string[]): string[] {
  const record = recordChanges(fields, postgresSyntax);
  return [
    `create function linod_rule_changed() ${begin}
      ${record.fields};
      new.revision := old.revision + 1;
      if new.cancelled_at is not null or new.removed_at is not null then new.next_due_at := null; end if;
      ${notify("'rule_changes'")}
      return new;
    end $$`,
    `create trigger linod_changed before update of ${fields} on job_rules for each row
      when (${record.isChanged}) execute function linod_rule_changed()`,
  ];
}

function onPostgres(fields: readonly string[]): string[] {
  const record = recordChanges(fields, postgresSyntax);
  return [
    ...changesOnPostgres(fields),
    `create function linod_rule_created() ${begin}
      ${record.creation};
      ${notify("'rule_changes'")}
      return null;
    end $$`,
    `create trigger linod_created after insert on job_rules for each row execute function linod_rule_created()`,
    `create function linod_notify() ${begin} ${notify('tg_table_name')} return null; end $$`,
    ...['job_requests', 'start_orders', 'job_rules'].map(
      (table) =>
        `create trigger linod_notify after insert on ${table} for each statement execute function linod_notify()`,
    ),
    // Not when a worker advances a rule after it has started it: that happens with every run.
    `create trigger linod_notify_earlier after update on job_rules for each row
      when (new.next_due_at < coalesce(old.next_due_at, ${Number.MAX_SAFE_INTEGER}))
      execute function linod_notify()`,
  ];
}

interface TriggerSyntax {
  /** The operator for different values, null included. */
  readonly differs: string;
  readonly now: string;
  /** The connected user, as far as the database knows. */
  readonly by: string;
}

/** The parts of both databases' triggers: a condition, and statements that write to `rule_changes`. */
function recordChanges(fields: readonly string[], { differs, now, by }: TriggerSyntax) {
  const row = (name: string) => `(${fields.map((field) => `${name}.${field}`)})`;
  const values = fields.map(
    (field) =>
      `select '${field}' as field, cast(old.${field} as text) as value_before,
        cast(new.${field} as text) as value_after`,
  );
  return {
    isChanged: `${row('old')} ${differs} ${row('new')}`,
    fields: `insert into rule_changes (rule_id, revision, field, value_before, value_after, changed_at, changed_by)
      select new.id, old.revision + 1, field, value_before, value_after, ${now}, ${by}
      from (${values.join(' union all ')}) as fields
      where value_before ${differs} value_after`,
    creation: `insert into rule_changes (rule_id, revision, field, value_after, changed_at, changed_by)
      values (new.id, new.revision, 'created', new.name, ${now}, ${by})`,
  };
}
