// What a worker reports, and how it says it is doing.

import type { ChannelsError, NoHandlerError } from '../errors.js';
import type { ListenerState, Listening } from './listening.js';

/** What happens in a worker and someone may want to log. `channel` is the one it happened on. */
export type WorkerEvent =
  /** Every channel is listened on for the first time. */
  | { readonly type: 'listening'; readonly channels: readonly string[] }
  /** Something that is no message, or not what its type promises, was dropped. */
  | {
      readonly type: 'badMessage';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error: ChannelsError;
    }
  /** A message that the consumer has no handler for was dropped. */
  | {
      readonly type: 'unknownType';
      readonly channel: string;
      readonly messageType: string;
      readonly error: NoHandlerError;
    }
  /** A handler threw. The instance is gone, the next message makes a new one. */
  | {
      readonly type: 'handlerFailed';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error: Error;
    }
  /** The application ended without taking the message that waits. It is started again in `retryMs` ms. */
  | {
      readonly type: 'instanceFailed';
      readonly channel: string;
      readonly error: Error;
      readonly retryMs: number;
    }
  /** The layer's `receive` failed. It is tried again in `retryMs` ms. */
  | {
      readonly type: 'listenerFailed';
      readonly channel: string;
      readonly error: Error;
      readonly retryMs: number;
    }
  /** The first message came after so many failures of the listener. */
  | { readonly type: 'listenerRecovered'; readonly channel: string; readonly failures: number }
  /** The store of the layer is silent beyond what was due. Told once; it is tried for on, by the layer. */
  | {
      readonly type: 'deaf';
      readonly channel: string;
      readonly silentMs: number;
      readonly dueMs: number;
    }
  /** The store of the layer was heard of again, after so many milliseconds. */
  | { readonly type: 'hearsAgain'; readonly channel: string; readonly silentMs: number }
  /**
   * A message was handled, but its lease was over by then, or the layer could not be told: it may be handled again.
   */
  | {
      readonly type: 'notAcknowledged';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error?: Error;
    }
  /** No more messages are taken; so many that were taken are still to be handled, or in hand. */
  | { readonly type: 'draining'; readonly messages: number }
  /** The grace is over and a handler still runs. It is no longer waited for. */
  | {
      readonly type: 'gaveUp';
      readonly channel: string;
      readonly messageType: string;
      readonly runningMs: number;
    }
  /** Messages that were taken but not begun are back on their channel, without a lease behind others. */
  | { readonly type: 'returned'; readonly channel: string; readonly messages: number }
  /** Messages that were taken but not begun could not be put back. */
  | { readonly type: 'lost'; readonly channel: string; readonly messages: number; readonly error: Error };

/** How one channel of a worker is doing. Counts are since the worker was made. */
export interface ChannelStats {
  readonly channel: string;
  readonly state: ListenerState;
  /** What the layer knows of its store; left out while nothing is asked of it, and by a layer that cannot be deaf. */
  readonly listening?: Listening;
  /** Messages taken from the layer. Each is, in the end, handled, failed, dropped, returned or lost. */
  readonly received: number;
  readonly handled: number;
  /** Messages whose handler threw. */
  readonly failed: number;
  /** Bad messages, and those of unknown type. */
  readonly dropped: number;
  /**
   * Messages taken and not begun that were put back on the channel at the end, or whose lease was over before their
   * turn came.
   */
  readonly returned: number;
  /** Messages taken and not begun that could not be put back. */
  readonly lost: number;
  /** Messages taken that wait for the application. */
  readonly prefetched: number;
  /** The message in hand. */
  readonly handling?: { readonly type: string; readonly sinceMs: number };
  /** What went wrong last, at `at` ms since 1970. */
  readonly lastError?: { readonly error: Error; readonly at: number };
}
