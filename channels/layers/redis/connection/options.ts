// The options of the layers on Redis.

import { hostname } from 'node:os';
import type { CodecOptions } from '../../../codec/codec.js';
import { InvalidOptionError } from '../../../errors.js';
import type { LayerOptions } from '../../../layer.js';
import type { ConnectionChange, ServerFacts } from './connection.js';
import type { Host as HostOption } from './hosts.js';

/** Something about a server, or between it and this machine, that has to be put right. */
export interface LayerWarning {
  /**
   * - `may-evict`: when the server's memory gets short it throws away keys, and with them messages;
   * - `clock-differs`: the server's clock and this machine's are more than 10 s apart.
   */
  readonly code: 'may-evict' | 'clock-differs';
  /** The server's name, without anything secret. */
  readonly host: string;
  /** A sentence for the maintainer: what it is and what to do. */
  readonly text: string;
}

/**
 * Options of `RedisChannelLayer`. Peers must agree on `hosts`, `prefix`, `randomPrefixLength`, `serializer` and
 * `symmetricEncryptionKeys`.
 */
export interface RedisLayerOptions extends LayerOptions, CodecOptions {
  /**
   * Servers: URLs, pairs of host and port, or objects; see `RedisHost`. Default `['redis://localhost:6379']`. Several
   * share the channels between them, by their order: see docs/explanation/channels.md.
   */
  readonly hosts?: readonly HostOption[] | undefined;
  /** What all keys begin with, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Random bytes before each message, which keep equal messages apart. Default 12. */
  readonly randomPrefixLength?: number | undefined;
  /** Milliseconds until a call gives Redis up: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds after which a wait for messages is begun anew. A connection that has died without a word is noticed
   * so long after its last reply and `timeoutMs` more, at most 5 s. From 10 to 60,000; default 10,000.
   */
  readonly blockMs?: number | undefined;
  /** Told once when a server goes away and once when it is back. Must not throw. */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
  /** Told once of each thing that is wrong with a server, when a connection to it is made. Must not throw. */
  readonly onWarning?: ((warning: LayerWarning) => void) | undefined;
}

/** Clocks that are less apart do no harm. */
const clockSlackMs = 10_000;

/** Makes a listener to connections that tells each warning once. */
export function warnOnce(
  host: string,
  onWarning: (warning: LayerWarning) => void,
): (facts: ServerFacts) => void {
  const told = new Set<LayerWarning['code']>();
  const warn = (code: LayerWarning['code'], text: string) => {
    if (!told.has(code)) onWarning({ code, host, text });
    told.add(code);
  };
  return ({ evictionPolicy, clock }) => {
    if (evictionPolicy !== undefined)
      warn(
        'may-evict',
        `Redis at ${host} throws away messages when its memory gets short: its maxmemory-policy is ${evictionPolicy}; set it to noeviction`,
      );
    const difference = clock && clockDifference(clock);
    if (difference !== undefined)
      warn(
        'clock-differs',
        `the clock of ${hostname()} is ${difference} that of Redis at ${host}: set the clocks right, for the times of what this machine logs and does are wrong`,
      );
  };
}

/** `90 s behind`; undefined where they may agree: the answer may have been long on its way. */
function clockDifference({
  serverMs,
  askedAt,
  toldAt,
}: NonNullable<ServerFacts['clock']>): string | undefined {
  if (askedAt - serverMs > clockSlackMs) return `${Math.round((askedAt - serverMs) / 1000)} s ahead of`;
  if (serverMs - toldAt > clockSlackMs) return `${Math.round((serverMs - toldAt) / 1000)} s behind`;
  return undefined;
}

/** @throws InvalidOptionError */
export function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string') return prefix;
  throw new InvalidOptionError('prefix', 'text', prefix);
}

/** @throws InvalidOptionError */
export function checkCount(
  option: string,
  value: number,
  least: number,
  most = Number.POSITIVE_INFINITY,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const range = Number.isFinite(most) ? `from ${least} to ${most}` : `of at least ${least}`;
  throw new InvalidOptionError(option, `a whole number ${range}`, value);
}
