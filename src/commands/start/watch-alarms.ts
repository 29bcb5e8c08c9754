// Alarms of a program that is no worker: it watches when no worker does.

import { hostname } from 'node:os';
import type { ChannelLayer } from '../../../channels/index.js';
import { lookAround } from '../../actors/tables.js';
import { AlarmService } from '../../alarms/alarm-service.js';
import { systemClock } from '../../base/clock.js';
import { awaitStore } from '../../daemon/awaited-store.js';
import type { Logger } from '../../log/logger.js';
import { databaseClock } from '../../membership/database-clock.js';
import type { Site } from '../../site/site.js';
import { openStore, type Store } from '../../store/store.js';

interface Watched {
  readonly site: Site;
  readonly store: Store;
  readonly layer: ChannelLayer;
  readonly logger: Logger;
}

/** Watches until it is closed. */
export async function watchAlarms({ site, store, layer, logger }: Watched): Promise<AlarmService> {
  const service = new AlarmService({
    site,
    store,
    layer,
    logger,
    clock: await databaseClock(store),
    watcher: `${hostname()}[${process.pid}]`,
    startedAt: null,
    workers: () => lookAround({ site, store }),
  });
  service.start();
  return service;
}

/**
 * The same for a program that has no database open, if the site wants alarms. The program goes on while the
 * database is away, and watches when it is there.
 */
export function watchAlarmsApart(watched: Omit<Watched, 'store'>): { close(): Promise<void> } {
  const { alarmMail, alarmWebhook, alarmCommand } = watched.site.settings;
  if (alarmMail.length + alarmCommand.length === 0 && alarmWebhook === '')
    return { close: async () => undefined };
  const stop = new AbortController();
  const watching = watchWhenThere(watched, stop.signal).catch((error: unknown) => {
    watched.logger.warning('this server does not watch for alarms', { error });
    return undefined;
  });
  return {
    close: async () => {
      stop.abort();
      await (await watching)?.();
    },
  };
}

/** @returns ends it; undefined when `stop` was aborted before the database was there */
async function watchWhenThere(
  watched: Omit<Watched, 'store'>,
  stop: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  const { site, logger } = watched;
  const opened = await awaitStore({
    open: () => openStore(site),
    clock: systemClock,
    signal: stop,
    onAway: ({ message }) => logger.warning(`this server does not watch for alarms yet: ${message}`),
  });
  if (opened === null) return undefined;
  const { store } = opened;
  try {
    const service = await watchAlarms({ ...watched, store });
    return async () => {
      await service.close();
      await store.close();
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
