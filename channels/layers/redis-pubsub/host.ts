// One of the servers of a PubSub layer.

import { Connection, type ConnectionChange, type ConnectionOptions } from '../redis/connection.js';
import { Subscriber, type SubscriberOptions } from './subscriber.js';

export type HostOptions = ConnectionOptions & Pick<SubscriberOptions, 'onMessage' | 'onRefused'>;

/** Two connections, since one that subscribes may not publish. To the outside they are one. */
export class Host {
  /** For publishing. */
  readonly commands: Connection;
  readonly subscriber: Subscriber;
  readonly #onChange: ((change: ConnectionChange) => void) | undefined;
  /** The connections that are away. */
  readonly #away = new Set<'commands' | 'subscriber'>();

  constructor(options: HostOptions) {
    this.#onChange = options.onChange;
    this.commands = new Connection({ ...options, onChange: (change) => this.#tell('commands', change) });
    this.subscriber = new Subscriber({ ...options, onChange: (change) => this.#tell('subscriber', change) });
  }

  /** Safe to call twice. */
  close(): void {
    this.subscriber.close();
    this.commands.close();
  }

  /** Away is when one of them is, back is when both are. */
  #tell(which: 'commands' | 'subscriber', change: ConnectionChange): void {
    const wasAway = this.#away.size > 0;
    if (change.connected) this.#away.delete(which);
    else this.#away.add(which);
    if (this.#away.size > 0 !== wasAway) this.#onChange?.(change);
  }
}
