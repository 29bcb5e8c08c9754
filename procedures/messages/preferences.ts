// How a user wants to get messages of which kind: the user's choice, or the kind's default.

import * as v from 'valibot';
import { InvalidRegistrationError, namesSchema, problemOf, Registry } from '../registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

/** The way that needs nobody to carry the message: the application shows it. */
export const inApp = 'in-app';

/** The kind that stands for all others in a user's choices. */
export const anyKind = '*';

/** A kind of messages, for the page where users choose. */
export interface NotificationKind {
  /** The `kind` of the messages. */
  readonly name: string;
  /** What people read. Default: the name. */
  readonly text?: string;
  /** How users get it who have not chosen. Default: `['in-app']`, as for a kind that is not registered. */
  readonly ways?: readonly string[];
}

export const notificationKinds = new Registry<NotificationKind>(
  'notification kind',
  v.looseObject({ ways: v.optional(namesSchema) }),
);

/**
 * Says how users get messages of a kind until they choose. Register it wherever `notify` is called, and in a file of
 * procedures.
 *
 * @returns takes it back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerNotificationKind({ name: 'order', text: 'Orders', ways: ['in-app', 'mail'] });
 */
export function registerNotificationKind(kind: NotificationKind): () => void {
  return notificationKinds.add(kind);
}

/**
 * Stores how a user wants messages of one kind, or of all kinds that were not chosen by themselves (`'*'`). An empty
 * list: not at all.
 *
 * @param ways for example `['in-app', 'mail']`, `['digest']`; null takes the choice back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when it is no list of names
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

/** How a user gets messages of a kind: by choice for the kind, by choice for all, by the kind's default. */
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

/** A list of names as it is stored. What somebody wrote wrongly into the table counts as no choice of a way. */
export function parseWays(text: string): readonly string[] {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every((item) => typeof item === 'string')) return parsed;
  } catch {
    // the same
  }
  return [inApp];
}
