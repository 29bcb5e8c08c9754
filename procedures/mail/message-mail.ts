// The ways `mail` and `digest`: turn a message to a user into a mail in the outbox.

import { userDirectory } from '../messages/users.js';
import { registerNotificationWay, UndeliverableError, type WayTransaction } from '../messages/ways.js';
import { headline } from '../shared/failures.js';
import { SingleRegistration } from '../shared/registry.js';
import type { UserMessageRow } from '../store/tables.js';
import { InvalidMailError } from './addresses.js';
import { queueMail } from './queue-mail.js';

/** The content of a mail for a message. */
export interface MessageMail {
  readonly subject: string;
  readonly text: string;
  readonly html?: string | undefined;
}

export type MessageMailWriter = (message: UserMessageRow) => MessageMail;

const plain: MessageMailWriter = ({ subject, body }) => ({ subject, text: body === '' ? subject : body });
const writer = new SingleRegistration<MessageMailWriter>();

/**
 * Registers the writer of mails for messages. By default, a mail has the message's subject and body.
 *
 * @returns a function that removes it
 * @example
 * registerMessageMail(({ subject, body }) => ({
 *   subject, text: body, html: html`<h1>${subject}</h1><p>${body}</p>`.text,
 * }));
 */
export function registerMessageMail(write: MessageMailWriter): () => void {
  return writer.set(write);
}

for (const [name, urgency] of [
  ['mail', 'often'],
  ['digest', 'daily'],
] as const) {
  registerNotificationWay({
    name,
    deliver: async (message, tx, ar) => {
      const to = await addressOf(message.user, tx);
      const { subject, ...rest } = (writer.value ?? plain)(message);
      const owner = message.owner ?? undefined;
      // A mail's subject must have no line break, but a message's may.
      const oneLine = subject.replace(/\s+/g, ' ');
      try {
        await queueMail(tx, { to, subject: oneLine, ...rest, urgency, owner, at: ar.now() });
      } catch (error) {
        if (!(error instanceof InvalidMailError)) throw error;
        throw new UndeliverableError(headline(error), { cause: error });
      }
    },
  });
}

async function addressOf(user: string, tx: WayTransaction): Promise<string> {
  const find = userDirectory();
  if (find === undefined) {
    throw new UndeliverableError('no user directory has the addresses of users; see registerUserDirectory');
  }
  const contact = await find(user, tx);
  if (contact === null) throw new UndeliverableError('there is no such user');
  const { email, name } = contact;
  if (email === null || email === undefined || email === '') {
    throw new UndeliverableError('the user has no mail address');
  }
  return name === null || name === undefined || name === '' ? email : `${quoted(name)} <${email}>`;
}

/** A display name, quoted as in RFC 5322 if it has special characters. */
function quoted(name: string): string {
  const oneLine = name.replace(/\s+/g, ' ').trim();
  return /[()<>[\]:;@\\,."]/.test(oneLine) ? `"${oneLine.replace(/[\\"]/g, '\\$&')}"` : oneLine;
}
