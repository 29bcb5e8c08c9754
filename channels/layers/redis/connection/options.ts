// The options of the Redis layers.

import { hostname } from 'node:os';
import type { CodecOptions } from '../../../codec/codec.js';
import { InvalidOptionError } from '../../../errors.js';
import type { LayerOptions } from '../../../layer.js';
import type { ConnectionChange, ServerFacts } from './connection.js';
import type { Host as HostOption } from './hosts.js';

/** A problem of a server, or between it and this machine, that needs repair. */
export interface LayerWarning {
  /**
   * - `may-evict`: when the server's memory gets short it throws away keys, and with them messages;
   * - `clock-differs`: the server's clock and this machine's are more than 10 s apart.
   */
  readonly code: 'may-evict' | 'clock-differs';
  /** The server's name, without secrets. */
  readonly host: string;
  /** A sentence for the maintainer: the problem and the remedy. */
  readonly text: string;
}

/**
 * Options of `RedisChannelLayer`. Peers must agree on `hosts`, `prefix`, `randomPrefixLength`, `serializer`
 * and `symmetricEncryptionKeys`.
 */
export interface RedisLayerOptions extends LayerOptions, CodecOptions {
  /**
   * Servers: URLs, pairs of host and port, or objects; see `RedisHost`. Default `['redis://localhost:6379']`.
   * Several share the channels between them, by their order: see docs/explanation/channels.md.
   */
  readonly hosts?: readonly HostOption[] | undefined;
  /** The prefix of all keys, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Random bytes before each message, so that equal messages differ. Default 12. */
  readonly randomPrefixLength?: number | undefined;
  /** Time limit of a call in milliseconds: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds after which a blocked read is started again. A dead connection is noticed this long after
   * its last reply, plus `timeoutMs` of at most 5 s. From 10 to 60,000; default 8000.
   */
  readonly blockMs?: number | undefined;
  /** Called once when a server goes away and once when it is back. Must not throw. */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
  /** Called once for each problem of a server, on a new connection. Must not throw. */
  readonly onWarning?: ((warning: LayerWarning) => void) | undefined;
}

/** Smaller clock differences do no harm. */
const clockSlackMs = 10_000;

/** Returns a listener for new connections that reports each warning once. */
export function warnOnce(
  host: string,
  onWarning: (warning: LayerWarning) => void,
): (facts: ServerFacts) => void {
  const warned = new Set<LayerWarning['code']>();
  const warn = (code: LayerWarning['code'], text: string) => {
    if (!warned.has(code)) onWarning({ code, host, text });
    warned.add(code);
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

/** Returns `90 s behind`; undefined if the clocks may agree, since the answer may have been slow. */
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
