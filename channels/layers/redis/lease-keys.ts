// The keys of a channel with leases. See lease-scripts.ts for what lies under them.

export interface LeaseKeys {
  readonly channel: string;
  readonly messages: string;
  readonly again: string;
  readonly lease: string;
  readonly leased: string;
}

/** A `:` is in no channel's name, so these are no channels' keys. */
export function leaseKeys(prefix: string, channel: string): LeaseKeys {
  return {
    channel,
    messages: prefix + channel,
    again: `${prefix}:again:${channel}`,
    lease: `${prefix}:lease:${channel}`,
    leased: `${prefix}:leased:${channel}`,
  };
}
