// The messages of a channel layer as text.

import { type ChannelLayer, ExtensionValue, type Peeked } from '../../channels/index.js';
import { LinodError } from '../base/errors.js';
import { hidePassword } from '../base/hide-password.js';
import type { Redaction } from '../log/redaction.js';

/** The layer keeps no messages that could be shown. */
class NothingKeptError extends LinodError {
  constructor(name: string) {
    super(
      'LINOD_ERR_NOTHING_KEPT',
      `the channel layer ${name} cannot be inspected: it keeps no messages, it only passes them on`,
    );
  }
}

/** @throws NothingKeptError (`LINOD_ERR_NOTHING_KEPT`) */
export function requireKept({ extensions }: ChannelLayer, name: string): void {
  if (!extensions.has('lease')) throw new NothingKeptError(name);
}

/** The URL of a layer without passwords. */
export function layerName(channelLayer: string | readonly string[]): string {
  return [channelLayer].flat().map(hidePassword).join(', ');
}

/** The message as JSON on one line. For the key of a process it begins with the channels. */
export function messageText(
  { message, error, channels }: Pick<Peeked, 'message' | 'error' | 'channels'>,
  redaction?: Redaction,
): string {
  const json = message === undefined ? undefined : JSON.stringify(plainValue(message));
  const text =
    json === undefined
      ? `cannot be read: ${error?.message ?? 'no reason known'}`
      : (redaction?.applyToJson(json) ?? json);
  const specific = channels.filter((channel) => channel.includes('!'));
  return specific.length === 0 ? text : `for ${specific.join(', ')}: ${text}`;
}

/**
 * The value in what JSON can express. Byte strings become `{"$bytes": "base64"}`, extension values
 * `{"$extension": code, "$bytes": …}`. Integers beyond 53 bits, NaN and infinities become text.
 */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return bytes(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof ExtensionValue) return { $extension: value.code, ...bytes(value.data) };
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [String(key), plainValue(item)]));
}

function bytes(value: Uint8Array): { $bytes: string } {
  return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
}
