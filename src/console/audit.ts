// The audit: who changed what in the console, and who signed in.

import type { AuditRow, Page, Role } from './api.js';
import type { ConsoleContext } from './context.js';
import { toRole } from './roles.js';
import type { AuditNote } from './router.js';

export interface AuditEntry extends AuditNote {
  readonly user: string;
  readonly role: Role | null;
  readonly address: string | null;
  readonly action: string;
}

/** Longer texts are cut, so that nobody can fill the database and the log by one request. */
const maxText = 2000;

/** Writes one entry, also into the log of the site. */
export async function writeAudit(
  { store, logger }: Pick<ConsoleContext, 'store' | 'logger'>,
  entry: AuditEntry,
): Promise<void> {
  const { user, role, address, action, undo = null } = entry;
  const target = entry.target.slice(0, maxText);
  const detail = entry.detail?.slice(0, maxText) ?? '';
  logger.child('audit').info(`${user}: ${action} ${target}`.trim(), { role, address, detail });
  await store.db
    .insertInto('console_audit')
    .values({
      at: Date.now(),
      user_name: user.slice(0, 200),
      role,
      address,
      action,
      target,
      detail,
      rule_id: undo?.rule ?? null,
      revision: undo?.revision ?? null,
    })
    .execute();
}

/** The newest first. */
export async function readAudit(
  { store }: Pick<ConsoleContext, 'store'>,
  { after, limit }: { readonly after: number | undefined; readonly limit: number },
): Promise<Page<AuditRow>> {
  let query = store.db
    .selectFrom('console_audit')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after !== undefined) query = query.where('id', '<', after);
  const found = await query.execute();
  const rows = found.slice(0, limit).map(
    (row): AuditRow => ({
      id: row.id,
      at: new Date(row.at).toISOString(),
      user: row.user_name,
      role: toRole(row.role),
      address: row.address,
      action: row.action,
      target: row.target,
      detail: row.detail,
      undo:
        row.rule_id === null || row.revision === null ? null : { rule: row.rule_id, revision: row.revision },
    }),
  );
  return { rows, next: found.length > limit ? String(rows.at(-1)?.id) : null };
}
