// The keys of a channel.

/** A process's key has messages only. */
export interface ChannelKeys {
  /** The channel, or the process-specific key, without the layer's prefix. */
  readonly channel: string;
  readonly messages: string;
  /** See lease-scripts.ts for what lies under these. */
  readonly again?: string;
  readonly lease?: string;
  readonly leased?: string;
}

export type LeaseKeys = Required<ChannelKeys>;

/** A `:` is in no channel's name, so the others are no channels' keys. */
export function leaseKeys(prefix: string, channel: string): LeaseKeys {
  return {
    channel,
    messages: prefix + channel,
    again: `${prefix}:again:${channel}`,
    lease: `${prefix}:lease:${channel}`,
    leased: `${prefix}:leased:${channel}`,
  };
}
