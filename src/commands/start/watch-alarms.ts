// Alarms of a program that is no worker: it watches when no worker does.

import { hostname } from 'node:os';
import type { ChannelLayer } from '../../../channels/index.js';
import { lookAround } from '../../actors/tables.js';
import { AlarmService } from '../../alarms/alarm-service.js';
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
 * The same for a program that has no database open, if the site wants alarms. Without the database, it goes on
 * without them.
 */
export async function watchAlarmsApart(watched: Omit<Watched, 'store'>): Promise<{ close(): Promise<void> }> {
  const { alarmMail, alarmWebhook, alarmCommand } = watched.site.settings;
  if (alarmMail.length + alarmCommand.length === 0 && alarmWebhook === '')
    return { close: async () => undefined };
  try {
    const store = await openStore(watched.site);
    const service = await watchAlarms({ ...watched, store });
    return {
      close: async () => {
        await service.close();
        await store.close();
      },
    };
  } catch (error) {
    watched.logger.warning('this server does not watch for alarms', { error });
    return { close: async () => undefined };
  }
}
