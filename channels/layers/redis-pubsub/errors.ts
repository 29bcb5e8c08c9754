// What only the PubSub layer refuses.

import { ChannelsError } from '../../errors.js';

/**
 * A channel that cannot join a group, since this layer object does not listen on it: a group's members are known only
 * to the process that has them, so nobody else can add one.
 */
export class ForeignMemberError extends ChannelsError {
  readonly channel: string;

  constructor(channel: string) {
    super(
      'CHANNELS_ERR_FOREIGN_MEMBER',
      `channel ${JSON.stringify(channel)} cannot join a group: this layer object neither made it with newChannel() nor receives on it`,
    );
    this.channel = channel;
  }
}
