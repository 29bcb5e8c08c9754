// Spans for messages.
//
// Source: OpenTelemetry semantic conventions, docs/messaging/messaging-spans.md. There are none for the messages
// of WebSockets, which get the same names.

import type { Message, Scope } from '../application.js';
import { StopConsumer } from '../errors.js';
import { inSpan, isTracing, type OpenSpan, startSpan, type TraceKeys, traceKeysOf } from './peer.js';

/** A specific channel is as short-lived as its process: such names would make too many kinds of spans. */
function destinationOf(channel: string): { name: string; attributes: Record<string, string | boolean> } {
  const isTemporary = channel.includes('!');
  const name = isTemporary ? '(temporary)' : channel;
  return {
    name,
    attributes: {
      'messaging.system': 'channels',
      'messaging.destination.name': channel,
      ...(isTemporary && { 'messaging.destination.temporary': true }),
    },
  };
}

/**
 * Sends in a span.
 *
 * @param destination a channel or a group
 * @param send is handed the keys for the messages
 */
export async function sendInSpan<T>(
  destination: string,
  count: number,
  send: (keys: TraceKeys | undefined) => Promise<T>,
): Promise<T> {
  if (!isTracing()) return await send(undefined);
  // The send itself refuses a name that is no text.
  const { name, attributes } = destinationOf(String(destination));
  const span = startSpan({
    name: `send ${name}`,
    kind: 'PRODUCER',
    attributes: {
      ...attributes,
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      ...(count > 1 && { 'messaging.batch.message_count': count }),
    },
  });
  return await inSpan(span, () => send(span?.keys));
}

/** A message with the keys of a trace. Those that it has are its own. */
export function marked(
  message: Readonly<Record<string, unknown>>,
  keys: TraceKeys | undefined,
): Readonly<Record<string, unknown>> {
  if (keys === undefined || 'traceparent' in message) return message;
  return { ...message, ...keys };
}

/** Handles a message in a span below the one that sent it. */
export function handleInSpan(
  scope: Scope,
  channelName: string | undefined,
  message: Message,
  handle: () => Promise<void>,
): Promise<void> {
  if (!isTracing()) return handle();
  return inSpan(
    processSpan(scope, channelName, message),
    handle,
    (error) => !(error instanceof StopConsumer),
  );
}

function processSpan(scope: Scope, channelName: string | undefined, message: Message): OpenSpan | undefined {
  const { type } = message;
  const operation = {
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'channels.message.type': type,
  };
  // A socket may live for days: each of its messages is a trace of its own.
  if (type === 'websocket.receive') {
    const own = { 'messaging.system': 'websocket', 'url.path': scope.path ?? '' };
    const attributes = { ...operation, ...own };
    return startSpan({ name: 'process websocket', kind: 'CONSUMER', attributes, parent: null });
  }
  if (/^(?:websocket|http)\./.test(type)) return undefined;
  const { name, attributes } = destinationOf(scope.channel ?? channelName ?? '!');
  return startSpan({
    name: `process ${name}`,
    kind: 'CONSUMER',
    attributes: { ...attributes, ...operation },
    parent: traceKeysOf(message),
  });
}
