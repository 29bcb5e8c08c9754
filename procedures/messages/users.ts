// Who the users are, as far as messages need to know: the application tells.

import { Slot } from '../registry.js';
import type { AnyKysely } from '../store/open.js';

export interface UserContact {
  /** `ann@example.org`; null or nothing for a user who gets no mail. */
  readonly email?: string | null | undefined;
  /** Stands before the address in mails. */
  readonly name?: string | null | undefined;
}

/**
 * Finds a user, or null when there is none. Ask the database through `db` alone: it is a transaction, and the embedded
 * database would wait for it for ever.
 */
export type UserDirectory = (user: string, db: AnyKysely) => UserContact | null | Promise<UserContact | null>;

const directory = new Slot<UserDirectory>();

/**
 * Says how users are reached. Register it in a file of procedures; a later directory takes the place of an earlier one.
 *
 * @returns takes it back
 * @example
 * registerUserDirectory(async (user) => ({ email: `${user}@example.org` }));
 */
export function registerUserDirectory(find: UserDirectory): () => void {
  return directory.fill(find);
}

export function userDirectory(): UserDirectory | undefined {
  return directory.value;
}
