// The way `push`: sends messages to users' browsers.

import { shortened } from '../checks/parse-problems.js';
import { registerNotificationWay, UndeliverableError } from '../messages/ways.js';
import type { UserMessageRow } from '../store/tables.js';
import { queuePush } from './queue-push.js';

registerNotificationWay({
  name: 'push',
  sender: 'send_pending_push',
  async deliver(message, tx, ar) {
    const { user } = message;
    const { deliveries } = await queuePush(tx, { to: user, data: messageData(message), at: ar.now() });
    if (deliveries === 0) throw new UndeliverableError(`${user} has no browser with a push subscription`);
  },
});

/** Longer texts are cut: no device shows more, and the application shows them completely. */
const [titleLength, bodyLength] = [150, 350];

/** The push data for a message. */
export function messageData({ id, kind, owner, subject, body }: UserMessageRow): Record<string, unknown> {
  return {
    id: `message-${id}`,
    kind,
    owner,
    title: shortened(subject, titleLength),
    body: shortened(body, bodyLength),
  };
}
