// The registered procedures: all that any living worker has.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import { beatMs } from '../../channels/waiting/beat.js';
import type { Database, WorkerRow } from '../store/schema.js';

const names = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** Whether a worker has a procedure. A worker that has not listed its procedures is assumed to have it. */
export function hasProcedure({ procedures }: Pick<WorkerRow, 'procedures'>, procedure: string): boolean {
  const own = v.safeParse(names, procedures);
  return !own.success || own.output.includes(procedure);
}

/** The same for several workers, of which one is enough. Parses them once for many procedures. */
export function registeredBy(
  workers: ReadonlyArray<Pick<WorkerRow, 'procedures'>>,
): (procedure: string) => boolean {
  const said = workers.map(({ procedures }) => v.safeParse(names, procedures));
  const all = new Set(said.flatMap((own) => (own.success ? own.output : [])));
  const isSure = said.every((own) => own.success);
  return (procedure) => !isSure || all.has(procedure);
}

/** Those of the named procedures that living workers have. */
export async function registeredAmong(
  db: Kysely<Database>,
  procedures: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const workers = await db
    .selectFrom('workers')
    .select('procedures')
    .distinct()
    .where('stopped_at', 'is', null)
    .execute();
  return new Set([...new Set(procedures)].filter(registeredBy(workers)));
}

/** The maximum number of workers to read: a site that restarts again and again has many. */
const newestWorkers = 100;

/**
 * Returns a function that says whether a worker with a procedure ran at an instant, in ms since 1970.
 *
 * @param except a worker that does not count
 */
export async function presenceOfOthers(
  db: Kysely<Database>,
  except: string,
): Promise<(procedure: string, instant: number) => boolean> {
  const workers = await db
    .selectFrom('workers')
    .select(['procedures', 'started_at', 'heartbeat_at', 'stopped_at'])
    .where('id', '!=', except)
    .orderBy('started_at', 'desc')
    .limit(newestWorkers)
    .execute();
  const spans = workers.map((row) => ({
    from: row.started_at,
    // One that lives sends its next heartbeat within a beat.
    until: row.stopped_at === null ? row.heartbeat_at + beatMs : Math.min(row.heartbeat_at, row.stopped_at),
    has: registeredBy([row]),
  }));
  return (procedure, instant) =>
    spans.some(({ from, until, has }) => from <= instant && instant <= until && has(procedure));
}
