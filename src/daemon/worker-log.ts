// What happens in a worker's channels, as records for the log.

import type { ConnectionChange, DroppedMessage, LayerWarning, WorkerEvent } from '../../channels/index.js';
import { durationText } from '../base/duration.js';
import type { LevelName } from '../base/log-levels.js';
import type { Logger } from '../log/logger.js';

/** Logs an event of a worker, with the channel's name. */
export function logWorkerEvent(logger: Logger, event: WorkerEvent): void {
  const [level, text, error] = recordOf(event);
  logger.log(level, text, error);
}

/**
 * Logs that a layer dropped a message. An expired message on the channel of one process is harmless, because
 * that process has ended.
 */
export function logDropped(logger: Logger, { channel, reason, error }: DroppedMessage): void {
  if (reason === 'dead') {
    logger.error(
      `a message on ${channel} was handed out too often and is dead now; linod channels dead ${channel} shows it`,
    );
    return;
  }
  const level = reason === 'expired' && channel.includes('!') ? 'DEBUG' : 'WARNING';
  logger.log(level, `a message on ${channel} was dropped: ${error?.message ?? reason}`);
}

const overflowEveryMs = 60_000;

/**
 * Returns an `onDrop` that logs. A killed process stays in its groups, and full, until they expire: each full
 * channel is logged once a minute.
 */
export function dropLog(logger: () => Logger | undefined): (dropped: DroppedMessage) => void {
  const full = new Set<string>();
  let since = 0;
  return (dropped) => {
    const now = performance.now();
    if (now - since > overflowEveryMs) full.clear();
    if (full.size === 0) since = now;
    if (dropped.reason === 'overflow') {
      if (full.has(dropped.channel)) return;
      full.add(dropped.channel);
    }
    const to = logger();
    if (to !== undefined) logDropped(to, dropped);
  };
}

/** Logs that the layer's server went away, or is back. */
export function logConnection(logger: Logger, { connected, error }: ConnectionChange): void {
  if (connected) logger.info('the channel layer is back');
  else logger.error(`the channel layer is away, and is waited for: ${error?.message ?? 'no reason known'}`);
}

/** Logs a warning about the layer's server. */
export function logLayerWarning(logger: Logger, { text }: LayerWarning): void {
  logger.warning(text);
}

function recordOf(event: WorkerEvent): [LevelName, string, Error?] {
  switch (event.type) {
    case 'listening':
      return ['DEBUG', `listening on ${event.channels.join(', ')}`];
    case 'badMessage':
      return ['WARNING', `a bad message on ${event.channel} was dropped: ${event.error.message}`];
    case 'unknownType':
      return ['WARNING', `a message on ${event.channel} was dropped: ${event.error.message}`];
    case 'handlerFailed':
      return [
        'ERROR',
        `the handler of ${event.messageType ?? 'a message'} on ${event.channel} failed`,
        event.error,
      ];
    case 'instanceFailed':
      return [
        'ERROR',
        `the consumer of ${event.channel} ended; next try in ${event.retryMs} ms`,
        event.error,
      ];
    case 'listenerFailed':
      return ['ERROR', `listening on ${event.channel} failed; next try in ${event.retryMs} ms`, event.error];
    case 'listenerRecovered':
      return ['INFO', `listening on ${event.channel} works again after ${event.failures} failures`];
    case 'deaf':
      return [
        'ERROR',
        `listening on ${event.channel} is deaf: the channel layer has been silent for ${durationText(event.silentMs)} and was due after ${durationText(event.dueMs)}`,
      ];
    case 'hearsAgain':
      return [
        'INFO',
        `listening on ${event.channel} hears again, after ${durationText(event.silentMs)} without a sign of the channel layer`,
      ];
    case 'notAcknowledged':
      return [
        'WARNING',
        `${event.messageType ?? 'a message'} on ${event.channel} was handled and may be handled again: ${event.error?.message ?? 'its lease was over'}`,
      ];
    case 'draining':
      return ['DEBUG', `no more messages are taken; ${event.messages} are still to be handled`];
    case 'gaveUp':
      return [
        'WARNING',
        `the handler of ${event.messageType} on ${event.channel} still runs after ${event.runningMs} ms and is left behind`,
      ];
    case 'returned':
      return ['INFO', `${event.messages} messages were put back on ${event.channel}`];
    case 'lost':
      return ['ERROR', `${event.messages} messages of ${event.channel} are lost`, event.error];
  }
}
