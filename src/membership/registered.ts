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
  return new Set(
    [...new Set(procedures)].filter((name) => workers.some((worker) => hasProcedure(worker, name))),
  );
}
