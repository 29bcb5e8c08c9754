// Asks for a run of a rule, or for the end of its runs: a row, which a worker takes up.

import { sql } from 'kysely';
import { UsageError } from '../base/errors.js';
import type { RequestOptions } from '../rules/base-request.js';
import { findRule, unknownRule } from '../rules/find-rule.js';
import type { RuleTable } from '../rules/rule-table.js';
import { traceText } from '../tracing/runs.js';
import { jsonText } from './job.js';

export interface AddRequestOptions extends RequestOptions {
  /** The arguments as JSON text that another request had; integers in it are exact, which a number may not be. */
  readonly argsJson?: string | null;
}

/**
 * Writes down that somebody wants a run, or the end of the runs that go on, through a connection or in a
 * transaction.
 *
 * @param asked which rule: as {@link findRule} takes it
 * @param by a person, or what else asked
 * @returns the number of the request
 * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`);
 * UsageError
 *   (`LINOD_ERR_USAGE`) when its procedure is gone, or the arguments are no JSON
 */
export async function addRequest(
  { db, clock }: Pick<RuleTable, 'db' | 'clock'>,
  asked: number | string,
  action: 'run' | 'cancel',
  by: string,
  { args, argsJson = jsonText('args', args), runAt, priority, debug }: AddRequestOptions = {},
): Promise<number> {
  const id = await findRule(db, asked);
  // With what the rule says of its runs. Of a rule whose procedure is gone only the end of a run can be asked
  // for.
  const { rows } = await sql<{ id: number }>`
    insert into job_requests (rule_id, action, requested_at, requested_by, args, run_at, priority, job_group,
      debug, trace_context)
    select id, cast(${action} as text), cast(${clock.now()} as bigint), cast(${by} as text),
      cast(${argsJson} as text), cast(${runAt?.getTime() ?? 0} as bigint),
      coalesce(cast(${priority ?? null} as bigint), due_priority), due_group,
      cast(${debug === true ? 1 : 0} as bigint), cast(${traceText()} as text)
    from job_rules
    where id = ${id} and (removed_at is null or cast(${action} as text) = 'cancel')
    returning id
  `.execute(db);
  const [row] = rows;
  if (row !== undefined) return row.id;
  const rule = await db.selectFrom('job_rules').select('procedure').where('id', '=', id).executeTakeFirst();
  if (rule === undefined) throw await unknownRule(id, db);
  throw new UsageError(`job rule ${id} cannot run: no procedure ${rule.procedure} is registered`);
}
