// The events and the statistics of a worker.

import type { ChannelsError, NoHandlerError } from '../errors.js';
import type { ListenerState, Listening } from './listening.js';

/** An event of a worker that is worth a log line. `channel` is the channel on which it happened. */
export type WorkerEvent =
  /** The worker now listens on all its channels. */
  | { readonly type: 'listening'; readonly channels: readonly string[] }
  /** The worker dropped a malformed message. */
  | {
      readonly type: 'badMessage';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error: ChannelsError;
    }
  /** The worker dropped a message for which the consumer has no handler. */
  | {
      readonly type: 'unknownType';
      readonly channel: string;
      readonly messageType: string;
      readonly error: NoHandlerError;
    }
  /** A handler threw. The next message creates a new instance. */
  | {
      readonly type: 'handlerFailed';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error: Error;
    }
  /** The application ended without taking its message. The worker starts it again in `retryMs` ms. */
  | {
      readonly type: 'instanceFailed';
      readonly channel: string;
      readonly error: Error;
      readonly retryMs: number;
    }
  /** The layer's `receive` failed. The worker tries again in `retryMs` ms. */
  | {
      readonly type: 'listenerFailed';
      readonly channel: string;
      readonly error: Error;
      readonly retryMs: number;
    }
  /** The layer's `receive` succeeded after `failures` failures. */
  | { readonly type: 'listenerRecovered'; readonly channel: string; readonly failures: number }
  /** The answer of the layer's store is overdue. Reported once for each silence; the layer goes on trying. */
  | {
      readonly type: 'deaf';
      readonly channel: string;
      readonly silentMs: number;
      readonly dueMs: number;
    }
  /** The layer's store answered again after `silentMs` ms. */
  | { readonly type: 'hearsAgain'; readonly channel: string; readonly silentMs: number }
  /**
   * A message was handled but not acknowledged, so it may be handled again. Its lease was over or the layer
   * failed.
   */
  | {
      readonly type: 'notAcknowledged';
      readonly channel: string;
      readonly messageType?: string | undefined;
      readonly error?: Error;
    }
  /** The worker takes no more messages. It still holds `messages` unfinished ones. */
  | { readonly type: 'draining'; readonly messages: number }
  /** The grace is over and a handler still runs. The worker does not wait for it any longer. */
  | {
      readonly type: 'gaveUp';
      readonly channel: string;
      readonly messageType: string;
      readonly runningMs: number;
    }
  /**
   * The worker put unstarted messages back on their channel. Without a lease they go to the end of the queue.
   */
  | { readonly type: 'returned'; readonly channel: string; readonly messages: number }
  /** The worker could not put unstarted messages back. */
  | { readonly type: 'lost'; readonly channel: string; readonly messages: number; readonly error: Error };

/** The state of one channel of a worker. Counts start when the worker is created. */
export interface ChannelStats {
  readonly channel: string;
  readonly state: ListenerState;
  /**
   * What the layer knows of its store. Omitted while nobody receives, and by layers whose store is in this
   * process.
   */
  readonly listening?: Listening;
  /** Messages taken from the layer. Each ends as handled, failed, dropped, returned or lost. */
  readonly received: number;
  readonly handled: number;
  /** Messages whose handler threw. */
  readonly failed: number;
  /** Malformed messages, and messages of unknown type. */
  readonly dropped: number;
  /**
   * Unstarted messages that the worker put back on the channel, and those whose lease ended in the inbox.
   */
  readonly returned: number;
  /** Unstarted messages that the worker could not put back. */
  readonly lost: number;
  /** Messages in the inbox. */
  readonly prefetched: number;
  /** The message that a handler works on. */
  readonly handling?: { readonly type: string; readonly sinceMs: number };
  /** The last error; `at` is in milliseconds since 1970. */
  readonly lastError?: { readonly error: Error; readonly at: number };
}
