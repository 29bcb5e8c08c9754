// Who is signed in.

import { signal } from '@preact/signals';
import type { SessionView } from '../api.js';

/** Null when nobody is signed in; undefined until that is known. */
export const session = signal<SessionView | null | undefined>(undefined);

/** Whether the user may change anything. */
export function mayChange(): boolean {
  return session.value != null && session.value.role !== 'viewer';
}
