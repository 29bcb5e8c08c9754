// What a claim writes: which requests are done with, which jobs begin, and what the ledger tells.

import type { Kysely } from 'kysely';
import { dialectOf, listJson, listTable } from '../store/dialect.js';
import { sql } from '../store/kysely.js';
import { type Placeholder, PreparedQuery } from '../store/prepared.js';
import type { Database } from '../store/schema.js';
import type { Start } from './claim.js';
import { type Decided, insertEntries, listOfEntries, type RuleEntry, writeEntries } from './ledger.js';

/** A request that is done with, and what became of it. */
export interface Handled {
  readonly id: number;
  readonly outcome: string;
}

/** The number of a job, and what it is of. */
export interface Begun {
  readonly id: number;
  readonly rule_id: number;
  readonly due_at: number | null;
  readonly request_id: number | null;
}

/** Ends a transaction that was begun with requests of which some are not open any more. */
export class TakenMeanwhile extends Error {}

/**
 * Writes what became of requests. On PostgreSQL with one statement: each that is waited for, and each processor that is woken for it,
 * delays the run.
 *
 * @returns the jobs
 * @throws TakenMeanwhile when somebody else has handled one of them before
 */
export async function writeTaken(
  tx: Kysely<Database>,
  {
    handled,
    starts,
    entries,
  }: { handled: readonly Handled[]; starts: readonly Start[]; entries: readonly RuleEntry[] },
  decided: Decided,
): Promise<Begun[]> {
  if (handled.length === 0) {
    await writeEntries(tx, entries, decided);
    return [];
  }
  const list = listJson(handled, handledColumns);
  if (dialectOf(tx) === 'sqlite') {
    const written = await handle.run(tx, { handled: list, at: decided.at });
    if (written < handled.length) throw new TakenMeanwhile();
    const jobs = await insertStarts(tx, starts, decided.by);
    await writeEntries(tx, entries, decided);
    return jobs;
  }
  const told = listOfEntries(entries);
  const rows = await writeAll.rows(tx, {
    ...decided,
    handled: list,
    starts: listOfStarts(starts),
    entries: told,
  });
  if ((rows[0]?.handled ?? 0) < handled.length) throw new TakenMeanwhile();
  return rows.flatMap(({ id, rule_id, due_at, request_id }) =>
    id === null || rule_id === null ? [] : [{ id, rule_id, due_at, request_id }],
  );
}

/** Writes jobs, without those that are there already. @returns those that were written */
export async function insertStarts(
  tx: Kysely<Database>,
  starts: readonly Start[],
  by: string,
): Promise<Begun[]> {
  return starts.length === 0 ? [] : await insert.rows(tx, { starts: listOfStarts(starts), by });
}

const handledColumns = { id: 'integer', outcome: 'text' } as const;

function handling(db: Kysely<Database>, value: Placeholder<{ handled: string; at: number }>) {
  return sql`
    update job_requests set handled_at = cast(${value('at')} as bigint), outcome = done.outcome
    from ${listTable(db, value('handled'), handledColumns)} as done
    where job_requests.id = done.id and job_requests.handled_at is null
  `;
}

const startColumns = {
  rule_id: 'integer',
  procedure: 'text',
  due_at: 'integer',
  request_id: 'integer',
  attempt: 'integer',
  args: 'text',
  checkpoint: 'text',
  run_in: 'text',
  job_group: 'text',
  start_datetime: 'integer',
} as const;

function listOfStarts(starts: readonly Start[]): string {
  return listJson(
    starts.map(({ row }) => row),
    startColumns,
  );
}

function inserting(db: Kysely<Database>, value: Placeholder<{ starts: string; by: string }>) {
  return sql<Begun>`
    insert into jobs (rule_id, procedure, due_at, request_id, attempt, args, checkpoint, run_in, job_group,
      start_datetime, status, message, worker_id)
    select rule_id, procedure, due_at, request_id, attempt, args, checkpoint, run_in, job_group,
      start_datetime, 'running', '', ${value('by')}
    from ${listTable(db, value('starts'), startColumns)} as starts where true
    on conflict do nothing
    returning id, rule_id, due_at, request_id
  `;
}

const handle = new PreparedQuery<{ handled: string; at: number }, never>(handling);
const insert = new PreparedQuery<{ starts: string; by: string }, Begun>(inserting);

const writeAll = new PreparedQuery<
  { handled: string; starts: string; entries: string; at: number; by: string },
  { handled: number } & { [K in keyof Begun]: Begun[K] | null }
>(
  (db, value) => sql`
    with handled as (${handling(db, value)} returning 1), told as (${insertEntries(db, value)}),
      begun as (${inserting(db, value)})
    select (select count(*) from handled) as handled, begun.* from (select 1) as one left join begun on true
  `,
);
