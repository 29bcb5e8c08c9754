// What the routes of the console work with.

import type { ChannelLayer } from '../../channels/index.js';
import type { ActorContext } from '../actors/tables.js';
import type { Logger } from '../log/logger.js';
import type { Redaction } from '../log/redaction.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import type { Role } from './api.js';
import type { ConsoleOutbox } from './outbox.js';

/** What a console shows. Its opener closes all of it. */
export interface ConsoleContext {
  readonly site: Site;
  readonly store: Store;
  readonly layer: ChannelLayer;
  readonly logger: Logger;
  /** Hides in arguments, messages and mails what the log hides in fields. */
  readonly redaction: Redaction;
  /** Mails and pushes; undefined for a site without the shipped procedures. */
  readonly outbox?: ConsoleOutbox | undefined;
}

/** Somebody who is let in. */
export interface Visitor {
  readonly name: string;
  readonly role: Role;
  /** The row of `console_secrets`; null for whoever a proxy or a function of the site names. */
  readonly session: string | null;
}

/** Acts on the site as this visitor, with the functions of the commands. */
export function actorOf({ site, store, layer }: ConsoleContext, visitor: Visitor): ActorContext {
  return { site, store, layer, user: visitor.name };
}
