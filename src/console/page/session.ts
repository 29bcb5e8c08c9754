// Who is signed in.

import { signal } from '@preact/signals';
import type { Role, SessionView } from '../api.js';

/** Null when nobody is signed in; undefined until that is known. */
export const session = signal<SessionView | null | undefined>(undefined);

const rank: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Whether the user has this role, or one that may do more. */
export function may(role: Role): boolean {
  const current = session.value;
  return current != null && rank[current.role] >= rank[role];
}
