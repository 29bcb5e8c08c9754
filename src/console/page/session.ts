// Who is signed in.

import { signal } from '@preact/signals';
import type { Role, SessionView } from '../api.js';

/** Null when nobody is signed in; undefined until that is known. */
export const session = signal<SessionView | null | undefined>(undefined);

/** Whether the user may do what needs this role. */
export function mayChange(needs: Role = 'operator'): boolean {
  return session.value?.role === 'admin' || session.value?.role === needs;
}
