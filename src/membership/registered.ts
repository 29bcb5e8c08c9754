// The registered procedures: all that any living worker has.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
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

/**
 * By procedure: since when living workers have had it; infinity where none has. In ms since 1970.
 *
 * @param except a worker that does not count
 */
export async function heldSince(
  db: Kysely<Database>,
  except: string,
): Promise<(procedure: string) => number> {
  const workers = await db
    .selectFrom('workers')
    .select(['procedures', 'started_at'])
    .where('stopped_at', 'is', null)
    .where('id', '!=', except)
    .execute();
  const since = workers.map((row) => ({ at: row.started_at, has: registeredBy([row]) }));
  return (procedure) => Math.min(...since.filter(({ has }) => has(procedure)).map(({ at }) => at));
}
