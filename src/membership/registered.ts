// Which procedures are registered: all that any of the living workers has.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import type { Database, WorkerRow } from '../store/schema.js';

const names = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** Whether a worker has a procedure. What it did not say of itself is taken for granted. */
export function hasProcedure({ procedures }: Pick<WorkerRow, 'procedures'>, procedure: string): boolean {
  const own = v.safeParse(names, procedures);
  return !own.success || own.output.includes(procedure);
}

/** The same of several workers, of which one is enough, for who asks about many procedures. */
export function registeredBy(
  workers: ReadonlyArray<Pick<WorkerRow, 'procedures'>>,
): (procedure: string) => boolean {
  const said = workers.map(({ procedures }) => v.safeParse(names, procedures));
  const all = new Set(said.flatMap((own) => (own.success ? own.output : [])));
  const isSure = said.every((own) => own.success);
  return (procedure) => !isSure || all.has(procedure);
}

/** The procedures that living workers have, of those that are named. */
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
