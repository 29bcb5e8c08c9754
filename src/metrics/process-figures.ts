// The metrics of this process that are read for each answer, and not counted as things happen.

import { type ChannelStats, channelPattern } from '../../channels/index.js';
import { directoryBytes } from '../base/files/directory-bytes.js';
import { version } from '../base/version.js';
import type { Metrics } from './metrics.js';

export interface ProcessFacts {
  readonly isReady: boolean;
  readonly channels: readonly ChannelStats[];
  /** Null in a process without a server. */
  readonly sockets: number | null;
  readonly spoolDirectory: string;
}

export function setProcess(metrics: Metrics, facts: ProcessFacts): void {
  const { sockets, spoolDirectory } = facts;
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  replace(metrics.memory, rss);
  replace(metrics.heap, heapUsed);
  replace(metrics.cpu, (user + system) / 1e6);
  replace(metrics.startTime, performance.timeOrigin / 1000);
  metrics.build.set(1, version, process.versions.node);
  replace(metrics.ready, facts.isReady ? 1 : 0);
  if (sockets !== null) replace(metrics.sockets, sockets);
  replace(metrics.logSpool, directoryBytes(spoolDirectory));
  setChannels(metrics, facts.channels);
}

function replace(family: Metrics['memory'], value: number): void {
  family.clear();
  family.set(value);
}

/** The worker counts by itself. Only its malformed messages are no drop of the layer. */
function setChannels(metrics: Metrics, channels: readonly ChannelStats[]): void {
  for (const family of [metrics.messagesReceived, metrics.messagesFailed, metrics.listeners]) family.clear();
  for (const state of ['waiting', 'busy', 'paused', 'restarting', 'deaf'] as const) {
    const count = channels.filter((channel) => channel.state === state).length;
    metrics.listeners.set(count, state);
  }
  for (const { channel, received, failed } of channels) {
    const pattern = channelPattern(channel);
    metrics.messagesReceived.add(received, pattern);
    metrics.messagesFailed.add(failed, pattern);
  }
}
