// The way `push`: messages to users as pushes to their browsers.

import { registerNotificationWay, UndeliverableError } from '../messages/ways.js';
import type { UserMessageRow } from '../store/tables.js';
import { maxPayloadBytes, queuePush } from './queue-push.js';

registerNotificationWay({
  name: 'push',
  sender: 'send_pending_push',
  async deliver(message, tx, ar) {
    const { user } = message;
    const { deliveries } = await queuePush(tx, { to: user, data: messageData(message), at: ar.now() });
    if (deliveries === 0) throw new UndeliverableError(`${user} has no browser that takes pushes`);
  },
});

/** What a message's receiver gets; a long text is cut, since the application shows all of it. */
export function messageData({ id, kind, owner, subject, body }: UserMessageRow): Record<string, unknown> {
  const whole = { id: `message-${id}`, kind, owner, title: subject, body };
  if (sizeOf(whole) <= maxPayloadBytes) return whole;
  const title = cut(subject, maxPayloadBytes / 4, (title) => ({ ...whole, title, body: '' }));
  return { ...whole, title, body: cut(body, maxPayloadBytes, (text) => ({ ...whole, title, body: text })) };
}

/** The longest beginning of a text with which the data is small enough, found by halving. */
function cut(text: string, bytes: number, dataWith: (text: string) => object): string {
  const characters = [...text];
  let [fits, exceeds] = [0, characters.length + 1];
  const shortened = (length: number) =>
    length === characters.length ? text : `${characters.slice(0, length).join('')}…`;
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if (sizeOf(dataWith(shortened(middle))) <= bytes) fits = middle;
    else exceeds = middle;
  }
  return shortened(fits);
}

function sizeOf(data: object): number {
  return Buffer.byteLength(JSON.stringify(data));
}
