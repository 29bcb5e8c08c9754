// What the console shows of mails and pushes. The shipped procedures implement it, and the programs pass it in.

import type { OutboxRow, Page } from './api.js';

export interface OutboxQuery {
  readonly kind: 'mail' | 'push';
  /** All states without one. */
  readonly state: string | undefined;
  /** `next` of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

export interface Outbox {
  list(query: OutboxQuery): Promise<Page<OutboxRow>>;
  /** Sends it again at once. @returns whether it could be */
  retry(kind: OutboxQuery['kind'], id: number): Promise<boolean>;
  /** A text that differs when something has changed. */
  mark(): Promise<string>;
}
