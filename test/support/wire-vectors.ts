// The worked examples of test/vectors/wire.json, made with channels_redis itself.

import { readFileSync } from 'node:fs';
import { fromTagged } from './tagged-values.js';

export interface MessageVector {
  readonly id: string;
  readonly message?: unknown;
  readonly repeat?: {
    readonly kind: 'str' | 'bytes' | 'list';
    readonly item: unknown;
    readonly times: number;
  };
  readonly json_body?: string;
  readonly json_error?: string;
}

export interface TokenExample {
  readonly symmetric_encryption_keys: readonly string[];
  readonly random_prefix_length: number;
  readonly serializer_format: 'msgpack' | 'json';
  readonly message: unknown;
  readonly plaintext_b64: string;
  readonly member_b64: string;
  readonly token: string;
  readonly token_parts: { readonly time: number; readonly iv_hex: string };
}

export interface TokenVerdict {
  readonly id: string;
  readonly keys: readonly string[];
  readonly token: string;
  readonly ttl: number | null;
  readonly now: number;
  readonly plaintext_b64?: string;
  readonly error?: string;
}

export interface WireVectors {
  readonly messages: readonly MessageVector[];
  readonly unsendable: ReadonlyArray<{ readonly id: string; readonly json: string | null }>;
  readonly encryption: {
    readonly examples: readonly TokenExample[];
    readonly fixed: ReadonlyArray<{
      readonly key: string;
      readonly time: number;
      readonly iv_hex: string;
      readonly plaintext_b64: string;
      readonly token: string;
    }>;
    readonly verdicts: readonly TokenVerdict[];
  };
  readonly consistent_hash: {
    readonly ring_sizes: readonly number[];
    readonly names: ReadonlyArray<readonly [name: string, crc32: number, shards: readonly number[]]>;
  };
  readonly names: ReadonlyArray<{
    readonly name: unknown;
    readonly channel: boolean;
    readonly receive: boolean;
    readonly group: boolean;
  }>;
  readonly hosts: ReadonlyArray<{
    readonly hosts: unknown;
    readonly decoded?: ReadonlyArray<Readonly<Record<string, unknown>>>;
    readonly error?: string;
  }>;
  readonly pubsub: {
    readonly new_channel: string;
    readonly new_channel_with_prefix_ws: string;
    readonly published: ReadonlyArray<{
      readonly channel: string;
      readonly payload_b64: string;
      readonly decoded: unknown;
    }>;
  };
}

export const wireVectors: WireVectors = JSON.parse(
  readFileSync(new URL('../vectors/wire.json', import.meta.url), 'utf8'),
);

/** The message that a vector is about; long ones are told as a repetition. */
export function messageOfVector({ message, repeat }: MessageVector): unknown {
  if (repeat === undefined) return fromTagged(message);
  const { kind, times } = repeat;
  const item = fromTagged(repeat.item);
  if (kind === 'str') return { v: String(item).repeat(times) };
  if (kind === 'list') return { v: Array.from({ length: times }, () => item) };
  return { v: new Uint8Array(times).fill(item instanceof Uint8Array ? (item[0] ?? 0) : 0) };
}
