// The users' contact data, which the application provides.

import { SingleRegistration } from '../shared/registry.js';
import type { AnyKysely } from '../store/open.js';

export interface UserContact {
  /** `ann@example.org`; null or undefined for a user without mail. */
  readonly email?: string | null | undefined;
  /** The name before the address in mails. */
  readonly name?: string | null | undefined;
}

/**
 * Finds a user; null when there is none. Read the database only through `db`: it is a transaction, and the
 * embedded database would wait for it for ever.
 */
export type UserDirectory = (user: string, db: AnyKysely) => UserContact | null | Promise<UserContact | null>;

const directory = new SingleRegistration<UserDirectory>();

/**
 * Registers the user directory. Register it in a file of procedures. A later directory replaces an earlier
 * one.
 *
 * @returns a function that removes it
 * @example
 * registerUserDirectory(async (user) => ({ email: `${user}@example.org` }));
 */
export function registerUserDirectory(find: UserDirectory): () => void {
  return directory.set(find);
}

export function userDirectory(): UserDirectory | undefined {
  return directory.value;
}
