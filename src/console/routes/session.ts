// Who is signed in, and where.

import { version } from '../../base/version.js';
import { changeToken } from '../access/secrets.js';
import type { SessionView } from '../api.js';
import type { ConsoleContext, Visitor } from '../context.js';
import { type Route, read } from '../router.js';

export const sessionRoutes: readonly Route[] = [
  read('api/session', async ({ context, visitor }) => await sessionView(context, visitor)),
];

export async function sessionView(context: ConsoleContext, visitor: Visitor): Promise<SessionView> {
  const { site, outbox } = context;
  return {
    user: visitor.name,
    role: visitor.role,
    token: await changeToken(context.store, visitor),
    site: { name: site.name, timezone: site.settings.timezone, version },
    hasOutbox: outbox !== undefined,
  };
}
