// The ways on which a user gets messages of each kind: the user's choice, or the kind's default.

import * as v from 'valibot';
import { InvalidRegistrationError, namesSchema, problemOf, Registry } from '../shared/registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

/** The way without a delivery: the application shows the message. */
export const inApp = 'in-app';

/** The kind for all other kinds in a user's choices. */
export const anyKind = '*';

/** A kind of messages, for the page where users choose. */
export interface NotificationKind {
  /** The `kind` of the messages. */
  readonly name: string;
  /** The text for people. Default: the name. */
  readonly text?: string;
  /** The ways for users who have not chosen. Default: `['in-app']`, as for an unregistered kind. */
  readonly ways?: readonly string[];
}

export const notificationKinds = new Registry<NotificationKind>(
  'notification kind',
  v.looseObject({ ways: v.optional(namesSchema) }),
);

/**
 * Registers a kind of messages and its default ways. Register it wherever `notify` is called, and in a file
 * of procedures.
 *
 * @returns a function that removes it
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerNotificationKind({ name: 'order', text: 'Orders', ways: ['in-app', 'mail'] });
 */
export function registerNotificationKind(kind: NotificationKind): () => void {
  return notificationKinds.add(kind);
}

/**
 * Stores a user's ways for messages of one kind, or of all other kinds (`'*'`). An empty list means no
 * messages.
 *
 * @param ways for example `['in-app', 'mail']`, `['digest']`; null removes the choice
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when it is not a list of names
 */
export async function chooseWays(
  db: AnyKysely,
  user: string,
  kind: string,
  ways: readonly string[] | null,
): Promise<void> {
  const tables = procedureTables(db);
  if (ways === null) {
    await tables
      .deleteFrom('notification_choices')
      .where('user', '=', user)
      .where('kind', '=', kind)
      .execute();
    return;
  }
  const problem = problemOf(namesSchema, ways);
  if (problem !== null) throw new InvalidRegistrationError(`choice of ${JSON.stringify(user)}`, problem);
  const text = JSON.stringify([...new Set(ways)]);
  await tables
    .insertInto('notification_choices')
    .values({ user, kind, ways: text })
    .onConflict((conflict) => conflict.columns(['user', 'kind']).doUpdateSet({ ways: text }))
    .execute();
}

/** A user's ways for a kind: the choice for the kind, the choice for all kinds, or the kind's default. */
export async function chosenWays(db: AnyKysely, user: string, kind: string): Promise<readonly string[]> {
  const choices = await procedureTables(db)
    .selectFrom('notification_choices')
    .select(['kind', 'ways'])
    .where('user', '=', user)
    .where('kind', 'in', [kind, anyKind])
    .execute();
  const choice = choices.find((row) => row.kind === kind) ?? choices[0];
  if (choice !== undefined) return parseWays(choice.ways);
  return [...notificationKinds].find(({ name }) => name === kind)?.ways ?? [inApp];
}

/** Parses a stored list of names. An invalid one counts as no choice. */
export function parseWays(text: string): readonly string[] {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every((item) => typeof item === 'string')) return parsed;
  } catch {
    // Handled below.
  }
  return [inApp];
}
